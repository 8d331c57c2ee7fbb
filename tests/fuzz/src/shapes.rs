//! Adversarial inputs: a part that is repeated up to a length, between a beginning and an end.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// One kind of input.
pub struct Shape {
    beginning: String,
    /// `{n}` is the number of the repetition.
    part: &'static str,
    end: &'static str,
    encode: fn(String) -> String,
}

impl Shape {
    /// A name for messages.
    pub fn name(&self) -> String {
        format!("{:?}… {:?}…", self.beginning.chars().take(60).collect::<String>(), self.part)
    }

    /// An input of about this length, before it is encoded.
    pub fn input(&self, length: usize) -> Vec<u8> {
        let mut text = self.beginning.clone();
        let mut number = 0;
        while text.len() + self.end.len() < length {
            match self.part.split_once("{n}") {
                None => text.push_str(self.part),
                Some((before, after)) => text.push_str(&format!("{before}{number}{after}")),
            }
            number += 1;
        }
        (self.encode)(text + self.end).into_bytes()
    }
}

/// The shapes for a fuzz target.
pub fn of(entry: &str) -> Vec<Shape> {
    let mut shapes: Vec<Shape> =
        PARTS.iter().map(|part| shape(String::new(), part, "", same)).collect();
    for (entries, beginning, part, end) in SHAPES {
        if entries.split(' ').any(|name| name == entry) {
            shapes.push(shape((*beginning).to_owned(), part, end, same));
        }
    }
    let json = |shapes: &mut Vec<Shape>, beginning: &str, encode| {
        let add = |(start, part, end)| shape(format!("{beginning}{start}"), part, end, encode);
        shapes.extend(JSON.iter().copied().map(add));
    };
    let xml = |shapes: &mut Vec<Shape>, beginning: &str, encode| {
        let add = |(start, part, end)| shape(format!("{beginning}{start}"), part, end, encode);
        shapes.extend(XML.iter().copied().map(add));
    };
    match entry {
        "jwt" => json(&mut shapes, "", as_jwt),
        "saml" => {
            xml(&mut shapes, "", same);
            xml(&mut shapes, "", as_base64);
        }
        "soap" => xml(&mut shapes, "", same),
        "html_form" => xml(&mut shapes, "<form>", same),
        "field" => json(&mut shapes, "a.b\n", same),
        "answers" => {
            // Only some of the sources, because many read a response in the same way.
            for choice in ["c", "e", "f", "j", "k"] {
                let head = |status| format!("{choice}HTTP/1.1 {status} X\r\n\r\n");
                match choice {
                    "f" | "j" => xml(&mut shapes, &head(400), same),
                    _ => json(&mut shapes, &head(200), same),
                }
                for (start, part, end) in ANSWERS {
                    shapes.push(shape(format!("{choice}{start}"), part, end, same));
                }
            }
        }
        "aws_process" | "aws_sso" | "exec_credential" | "exec_info" | "bazel_request"
        | "output_file" | "configuration" | "certificate_config" | "kubeconfig" => json(&mut shapes, "", same),
        _ => {}
    }
    shapes
}

fn shape(
    beginning: String,
    part: &'static str,
    end: &'static str,
    encode: fn(String) -> String,
) -> Shape {
    Shape { beginning, part, end, encode }
}

fn same(text: String) -> String {
    text
}

fn as_base64(text: String) -> String {
    STANDARD.encode(text)
}

/// Wraps claims in a JWT with a signature that is well-formed, but not valid.
fn as_jwt(claims: String) -> String {
    format!("eyJhbGciOiJSUzI1NiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
}

/// Parts for every fuzz target.
const PARTS: &[&str] = &[
    "a", " ", "\n", "\r\n", "\0", "é", "[", "{", "<", "(", "\"", "'", "\\", "=", ".", ",", "-",
    "&", "%", ":", "#", "/", "?", "@", "eyJ", "%41", "{\"a\":", "[1,", "<a>", "a:b\n", "a=b\n",
    "- ",
];

type Parts = (&'static str, &'static str, &'static str);

const JSON: &[Parts] = &[
    ("{\"a\":", "[", ""),
    ("{\"a\":\"", "x", "\"}"),
    ("{\"a\":\"", "\\u0041", "\"}"),
    ("{\"a\":\"", "\\\\", "\"}"),
    ("{\"exp\":1", "1", "}"),
    ("{\"exp\":1e", "1", "}"),
    ("{\"exp\":0.", "1", "}"),
    ("{\"exp\":\"", "1", "\"}"),
    ("{", "\"k{n}\":1,", "\"z\":1}"),
    ("{", "\"a\":{},", "\"z\":1}"),
    ("{\"a\":[", "[],", "1]}"),
    ("{\"a\":[", "{\"a\":1},", "1]}"),
    ("{\"version\":1,\"success\":true,", "\"k{n}\":[],", "\"z\":1}"),
    ("{\"version\":1}", "{\"version\":1}", ""),
    ("{\"version\":1}", "{}", ""),
    ("{\"version\":1}", "\n", "{"),
];

const XML: &[Parts] = &[
    ("<a xmlns='urn:oasis:names:tc:SAML:2.0:assertion'>", "<b>", "</b></a>"),
    ("<a>", "<b/>", "</a>"),
    ("<a>", "<b xmlns='u'/>", "</a>"),
    ("", "<a xmlns:n{n}='u{n}'>", ""),
    ("<a", " xmlns:n{n}='u{n}'", "/>"),
    ("<a", " a{n}='v'", "/>"),
    ("<a", " a{n} = 'v'", "/>"),
    ("<a", " a{n}\n=\n\"v\"", "/>"),
    ("", "<a b='/>'>", ""),
    ("", "<a b='>'>", ""),
    ("<a>", "<!-- x -->", "</a>"),
    ("<a>", "<?x y?>", "</a>"),
    ("<a>", "<![CDATA[x]]>", "</a>"),
    ("<a>", "&amp;", "</a>"),
    ("<a>", "&#x41;", "</a>"),
    ("<a b='", "&amp;", "'/>"),
    ("<a b='", "=\"", "'/>"),
    ("<!DOCTYPE a [", "<!ENTITY e{n} '&e;'>", "]><a>&e1;</a>"),
    ("<!DOCTYPE a [<!ENTITY e 'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'>]><a>", "&e;", "</a>"),
    ("<", "a", "/>"),
    ("<a:", "a", " xmlns:a='u'/>"),
    (
        "<p:Response xmlns:p='urn:oasis:names:tc:SAML:2.0:protocol'>",
        "<p:StatusCode Value='a:b'/>",
        "</p:Response>",
    ),
    (
        "<p:Response xmlns:p='urn:oasis:names:tc:SAML:2.0:protocol'>",
        "<b NotBefore='2026-11-21T16:00:00Z' NotOnOrAfter='2026-11-21T16:00:00Z'/>",
        "</p:Response>",
    ),
    ("<Fault>", "<Value>a:b</Value><Text>t</Text>", "</Fault>"),
];

/// Responses that include the head.
const ANSWERS: &[Parts] = &[
    ("HTTP/1.1 200 OK\r\n", "X-{n}: a\r\n", "\r\n"),
    ("HTTP/1.1 200 OK\r\n", "X: a\r\n", "\r\n"),
    ("HTTP/1.1 200 OK\r\nX: ", "a", "\r\n\r\n"),
    ("HTTP/1.1 200 OK\r\nX: a", "\r\n a", "\r\n\r\n"),
    ("HTTP/1.1 200 ", "a", "\r\n\r\n"),
    ("HTTP/1.1 302 X\r\nLocation: https://a.example/", "a", "\r\n\r\n"),
    ("HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n", "0\r\n\r\n"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1;a=b\r\na\r\n", "0\r\n\r\n"),
    ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "0", "0\r\n\r\n"),
    (
        "HTTP/1.1 503 X\r\nRetry-After: 0\r\n\r\n",
        "\n----\nHTTP/1.1 503 X\r\nRetry-After: 0\r\n\r\n",
        "",
    ),
    ("HTTP/1.1 400 X\r\n\r\n{\"error\":\"invalid_request\",\"error_description\":\"", "%25", "\"}"),
    (
        "HTTP/1.1 400 X\r\n\r\n{\"error\":\"invalid_request\",\"error_description\":\"",
        "&amp;",
        "\"}",
    ),
    (
        "HTTP/1.1 400 X\r\n\r\n{\"error\":\"invalid_request\",\"error_description\":\"",
        "\\\\\\\\",
        "\"}",
    ),
    (
        "HTTP/1.1 400 X\r\n\r\n{\"error\":\"invalid_request\",\"error_description\":\"",
        "%2525&amp;amp;\\\\u005c ",
        "\"}",
    ),
    ("HTTP/1.1 400 X\r\n\r\n{\"errors\":[", "\"%2525&amp;amp;\\\\u005c a\",", "\"\"]}"),
    (
        "HTTP/1.1 403 X\r\n\r\n<ErrorResponse><Error><Code>AccessDenied</Code><Message>",
        "%2525&amp;amp;\\u005c ",
        "</Message></Error></ErrorResponse>",
    ),
    (
        "HTTP/1.1 500 X\r\n\r\n<Fault><Value>a:b</Value><Text>",
        "%2525&amp;amp;\\u005c ",
        "</Text></Fault>",
    ),
];

/// The names of fuzz targets, the beginning, the part and the end.
const SHAPES: &[(&str, &str, &str, &str)] = &[
    ("certificate", "-----BEGIN CERTIFICATE-----\n", "MIIB", "\n-----END CERTIFICATE-----\n"),
    ("certificate", "", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", ""),
    ("certificate", "", "-----BEGIN CERTIFICATE-----\n", ""),
    ("jwt", "eyJhbGciOiJSUzI1NiJ9.", "A", ".c2ln"),
    ("jwt", "eyJhbGciOiJSUzI1NiJ9.e30.", "A", ""),
    ("jwt", "", "%7B", ""),
    ("jwt", "%7B%22headers%22%3A%5B", "%7B%22key%22%3A%22a%22%7D%2C", "1%5D%7D"),
    (
        "jwks",
        concat!(
            "eyJhbGciOiJFUzI1NiJ9.e30.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q\n",
            "{\"keys\":["
        ),
        "{\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},",
        "{}]}",
    ),
    (
        "jwks",
        concat!(
            "eyJhbGciOiJSUzI1NiJ9.e30.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw\n",
            "{\"keys\":["
        ),
        "{\"e\":\"AQAB\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ\"},",
        "{}]}",
    ),
    ("jwks", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln\n{\"keys\":[", "{},", "1]}"),
    ("aws_profile", "", "[a]\n", ""),
    ("aws_profile", "", "[profile p{n}]\nregion=x\n", ""),
    ("aws_profile", "[a]\n", "k{n}=v\n", ""),
    ("aws_profile", "[a]\n", "k=v\n", ""),
    ("aws_profile", "[a]\nk=v\n", " v\n", ""),
    ("aws_profile", "[profile a]\nservices=s\n[services s]\nsts=\n", "  a=b\n", ""),
    ("aws_process", "", "\\\\\"", ""),
    ("aws_process", "", "'a' ", ""),
    ("kubeconfig", "", "? ", ""),
    ("kubeconfig", "", "a: ", ""),
    ("kubeconfig", "", "- - ", ""),
    ("kubeconfig", "", "{a: ", ""),
    ("kubeconfig", "", "k{n}: v\n", ""),
    ("kubeconfig", "", "k: v\n", ""),
    ("kubeconfig", "a: |\n", " x\n", ""),
    ("kubeconfig", "a: >\n", " x\n\n", ""),
    ("kubeconfig", "a: |\n", "\n", " x"),
    ("kubeconfig", "a: |\n x", "\n", ""),
    ("kubeconfig", "a: x", "\n x", ""),
    ("kubeconfig", "a: x", "\n\n", "\n x"),
    ("kubeconfig", "a: \"x", "\n x", "\""),
    ("kubeconfig", "a: \"", "\\x41", "\""),
    ("kubeconfig", "a: 'x", "''", "'"),
    ("kubeconfig", "", "# x\n", ""),
    ("kubeconfig", "", "a: # x\n", ""),
    ("kubeconfig", "", "---\n", ""),
    ("kubeconfig", "", "&a{n} ", ""),
    ("kubeconfig", "", "- &a{n} x\n", ""),
    ("kubeconfig", "- &a x\n", "- *a\n", ""),
    ("kubeconfig", "", "!!str ", ""),
    ("kubeconfig", "!", "a", " x"),
    ("kubeconfig", "", "%TAG !a{n}! tag:a\n", "---\na: b"),
    ("kubeconfig", "", "%a\n", "---\na: b"),
    ("kubeconfig", "a: [", "a,", "a]"),
    ("kubeconfig", "a: [", "a: b,", "a]"),
    ("kubeconfig", "a: {", "a,", "a}"),
    ("kubeconfig", "a: [", "\n", "]"),
    ("kubeconfig", "a: [", "[],", "]"),
    ("kubeconfig", "current-context: a\ncontexts:\n", "- {name: c{n}}\n", ""),
    ("kubeconfig", "contexts:\n", "- {name: c{n}}\n", ""),
    ("html_form", "", "<input name=a value=b>", ""),
    ("html_form", "<input ", "a{n}=b ", ">"),
    ("html_form", "<input ", "a=b ", ">"),
    ("html_form", "", "&lt;", ""),
    ("html_form", "", "&#x41;", ""),
    ("html_form", "", "&notit;", ""),
    ("html_form", "", "&CounterClockwiseContourIntegra", ""),
    ("html_form", "", "<!--", ""),
    ("html_form", "<!--", "-", ""),
    ("html_form", "", "</", ""),
    ("html_form", "", "<script>", ""),
    ("html_form", "", "<!", ""),
    ("html_form", "", "<![CDATA[", ""),
    ("html_form", "<!DOCTYPE ", "a ", ">"),
    ("html_form", "", "MSIS", ""),
    ("html_form", "", "MSIS1", ""),
    ("html_form", "MSIS", "1", ""),
    (
        "configuration",
        r#"{"type":"external_account","audience":"//iam.googleapis.com/"#,
        "a/",
        "\"}",
    ),
    (
        "configuration",
        r#"{"type":"external_account","audience":"a","subject_token_type":"urn:ietf:params:oauth:token-type:jwt","token_url":"https://a/","credential_source":{"executable":{"command":""#,
        "a ",
        "\"}}}",
    ),
    (
        "configuration",
        r#"{"type":"external_account","audience":"a","subject_token_type":"urn:ietf:params:oauth:token-type:jwt","token_url":"https://a/","credential_source":{"url":"https://a/","headers":{"#,
        "\"h{n}\":\"v\",",
        "\"z\":\"v\"}}}",
    ),
    (
        "configuration",
        r#"{"type":"external_account","audience":"a","subject_token_type":"urn:ietf:params:oauth:token-type:jwt","token_url":"https://a/"#,
        "a",
        "\"}",
    ),
    ("arguments", "url\n", "--header=a:b\n", ""),
    ("arguments", "url\n", "--url=https://a\n", ""),
    ("arguments", "url\n", "--header=a:b\n--url=https://a\n", ""),
    ("arguments", "url\n", "--x{n}\n", ""),
    ("arguments", "command\n--\n", "a\n", ""),
    ("arguments", "", "aws\n", ""),
    ("command_line", "url ", "--header=a:b --url=https://a ", ""),
    ("command_line", "url ", "--x ", ""),
    ("command_line", "", "' ", ""),
    ("command_line", "url --", "x", ""),
    ("url", "https://", "a", ""),
    ("pkcs11_uri", "pkcs11:", "token=a;", ""),
    ("pkcs11_uri", "pkcs11:id=", "%41", "?pin-source=/a"),
    ("pkcs11_uri", "pkcs11:?", "x-a=b&", ""),
    ("url", "https://", "a.", "/"),
    ("url", "https://[", ":", "]/"),
    ("url", "https://a:", "1", "/"),
    ("url", "https://a/", "%41", ""),
    ("url", "https://a/?", "a=b&", ""),
    ("field", "", "a.", "\n{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":1}}}}}}}}"),
    ("field", "", ".", "\n{\"a\":1}"),
    ("field", "", "0.", "\n[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"),
    ("field", "a.b.c\n{\"a\":{", "\"b{n}\":1,", "\"z\":1}}"),
    ("mapping", "google.subject=assertion", "['a']", ""),
    ("mapping", "google.subject=assertion", ".a", ""),
    ("mapping", "google.subject=assertion", "[0]", ""),
    ("mapping", "", "a=b,", ""),
    ("mapping", "", "$A%", ""),
    ("mapping", "", "${A", ""),
    ("mapping", "", "%AAA", "%"),
    ("message", "hunter2-secret\n", "://a@ ", ""),
    ("message", "hunter2-secret\n", "://a@b", ""),
    ("message", "hunter2-secret\n", "eyJabcdefghijklmno ", ""),
    ("message", "hunter2-secret\n", "aeyJ", ""),
    ("message", "hunter2-secret\n", "eyJ a", ""),
    ("message", "hunter2-secret\n", "{\"token\":1}", ""),
    ("message", "hunter2-secret\n", "{ \"a", ""),
    ("message", "hunter2-secret\n", "-----BEGIN", ""),
    ("message", "hunter2-secret\n", "-----BEGIN a-----END b-----", ""),
    ("message", "hunter2-secret\n", "ghp_0123456789abcdef ", ""),
    ("message", "hunter2-secret\n", "ghp_", ""),
    ("message", "hunter2-secret\n", "hunter2-secret", ""),
    ("message", "hunter2-secret\n", "hunter2-secre", ""),
    ("message", "hunter2-secret\n", "aHVudGVyMi1zZWNyZXQ", ""),
    (
        "message",
        "hunter2-secret\n",
        "VVZWR1FsRlZSa0pSVlVaQ1VWVkdRbEZWUmtKUlZVWkNVVlZHUWxGVlJrSlJWVVpD",
        "",
    ),
    (
        "message",
        "hunter2-secret\n",
        "VVZWR1FsRlZSa0pSVlVaQ1VWVkdRbEZWUmtKUlZVWkNVVlZHUWxGVlJrSlJWVVpD ",
        "",
    ),
    ("message", "hunter2-secret\n", "3531 ", ""),
];
