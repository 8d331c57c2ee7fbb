/* request ADDRESS PATH [HEADER]...: prints the address, waits for a line on standard input, sends one request to a metadata server, and
 * prints the status and the body of the response. The address "-" is that of GCE_METADATA_HOST. */
#include <winsock2.h>
#include <ws2tcpip.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int wmain(int count, wchar_t **word) {
    if (count < 3) return 1;
    char address[64], request[4096], answer[65536], path[512];
    if (wcscmp(word[1], L"-") == 0) snprintf(address, sizeof address, "%s", getenv("GCE_METADATA_HOST"));
    else snprintf(address, sizeof address, "%ls", word[1]);
    snprintf(path, sizeof path, "%ls", word[2]);
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.0\r\nHost: %s\r\n", path, address);
    for (int i = 3; i < count; i++) length += snprintf(request + length, sizeof request - length, "%ls\r\n", word[i]);
    length += snprintf(request + length, sizeof request - length, "\r\n");
    puts(address);
    fflush(stdout);
    if (getchar() == EOF) return 2;

    WSADATA data;
    WSAStartup(0x202, &data);
    char *port = strrchr(address, ':');
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(port + 1))};
    *port = 0;
    inet_pton(AF_INET, address, &to.sin_addr);
    SOCKET client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(client, (struct sockaddr *)&to, sizeof to) != 0) return 3;
    if (send(client, request, length, 0) != length) return 4;
    int received = 0, more;
    while ((more = recv(client, answer + received, sizeof answer - 1 - received, 0)) > 0) received += more;
    answer[received] = 0;
    char *body = strstr(answer, "\r\n\r\n");
    if (!body) return 5;
    printf("%.3s\n%s", answer + 9, body + 4);
    return 0;
}
