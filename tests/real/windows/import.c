/* import FILE PASSWORD TYPE: imports the certificate of a PKCS#12 file into the store of the user, and its key into a provider of this
 * type. The tests need this program because Wine has no certutil. */
#include <windows.h>
#include <wincrypt.h>
#include <stdio.h>
#include <stdlib.h>

static void require(int succeeded, const char *what) {
    if (succeeded) return;
    printf("%s: %08lx\n", what, GetLastError());
    exit(1);
}

int wmain(int count, wchar_t **word) {
    require(count == 4, "import FILE PASSWORD TYPE");
    static BYTE bytes[65536];
    CRYPT_DATA_BLOB pfx = {0, bytes};
    HANDLE file = CreateFileW(word[1], GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    require(ReadFile(file, bytes, sizeof bytes, &pfx.cbData, NULL), "the file");
    HCERTSTORE imported = PFXImportCertStore(&pfx, word[2], CRYPT_EXPORTABLE);
    require(imported != NULL, "PFXImportCertStore");
    const CERT_CONTEXT *certificate = CertFindCertificateInStore(imported, X509_ASN_ENCODING, 0, CERT_FIND_ANY, NULL, NULL);
    require(certificate != NULL, "its certificate");

    DWORD type = wcstoul(word[3], NULL, 10), size = 0;
    require(CertGetCertificateContextProperty(certificate, CERT_KEY_PROV_INFO_PROP_ID, NULL, &size), "where its key is");
    CRYPT_KEY_PROV_INFO *key = malloc(size);
    require(CertGetCertificateContextProperty(certificate, CERT_KEY_PROV_INFO_PROP_ID, key, &size), "where its key is");
    key->pwszProvName = NULL;
    key->dwProvType = type;
    key->dwKeySpec = AT_KEYEXCHANGE; /* Wine stores the key there, although it returns 3 */
    require(CertSetCertificateContextProperty(certificate, CERT_KEY_PROV_INFO_PROP_ID, 0, key), "where its key is to be");

    HCERTSTORE mine = CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0, CERT_SYSTEM_STORE_CURRENT_USER, L"My");
    require(mine != NULL, "the store");
    require(CertAddCertificateContextToStore(mine, certificate, CERT_STORE_ADD_REPLACE_EXISTING, NULL), "adding it");
    require(CertCloseStore(mine, 0), "closing the store");
    return 0;
}
