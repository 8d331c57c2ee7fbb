/* load COUNT [close]: requests a token COUNT times from the metadata server in GCE_METADATA_HOST, one request after another, on one
 * connection or with `close` each on its own. Prints "REQUESTS_PER_SECOND P99_NANOSECONDS PARENT_KIB". PARENT_KIB is the resident
 * memory of the parent, which is the server if the server runs this command. A response that is not a success ends the run with
 * status 1. */

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int in_order(const void *a, const void *b)
{
    long long x = *(const long long *)a, y = *(const long long *)b;
    return (x > y) - (x < y);
}

static int connected(const struct sockaddr_in *address)
{
    int on = 1, server = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(server, (const struct sockaddr *)address, sizeof *address))
        return -1;
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return server;
}

/* Reads one response; whether it is complete and a success. */
static int answered(int server)
{
    char text[8192];
    size_t length = 0;
    for (;;) {
        ssize_t got = read(server, text + length, sizeof text - 1 - length);
        if (got <= 0)
            return 0;
        text[length += got] = 0;
        const char *body = strstr(text, "\r\n\r\n"), *size = strstr(text, "Content-Length: ");
        if (body && size && text + length >= body + 4 + atoi(size + 16))
            return strncmp(text, "HTTP/1.1 200 ", 13) == 0;
    }
}

static long resident(pid_t process)
{
    char name[64], line[256];
    long kib = 0;
    snprintf(name, sizeof name, "/proc/%d/status", process);
    FILE *status = fopen(name, "r");
    while (status && fgets(line, sizeof line, status))
        sscanf(line, "VmRSS: %ld", &kib);
    return kib;
}

int main(int argc, char **argv)
{
    const char *host = getenv("GCE_METADATA_HOST"), *port = host ? strchr(host, ':') : NULL;
    int count = argc > 1 ? atoi(argv[1]) : 0, closes = argc > 2, server = -1;
    if (!port || count < 1)
        return 2;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(port + 1)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char request[512];
    int size = snprintf(request, sizeof request,
                        "GET /computeMetadata/v1/instance/service-accounts/default/token HTTP/1.1\r\nHost: %s\r\n"
                        "Metadata-Flavor: Google\r\n%s\r\n", host, closes ? "Connection: close\r\n" : "");
    long long *took = calloc(count, sizeof *took), began = 0;
    /* The first request, which fetches the token, is not measured. */
    for (int i = -1; i < count; i++) {
        long long start = now();
        if (i == 0)
            began = start;
        if (server < 0 && (server = connected(&address)) < 0)
            return 1;
        if (write(server, request, size) != size || !answered(server))
            return 1;
        if (closes) {
            close(server);
            server = -1;
        }
        if (i >= 0)
            took[i] = now() - start;
    }
    double seconds = (now() - began) / 1e9;
    qsort(took, count, sizeof *took, in_order);
    printf("%.0f %lld %ld\n", count / seconds, took[count * 99 / 100], resident(getppid()));
    return 0;
}
