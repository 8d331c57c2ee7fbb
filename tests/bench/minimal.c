/* minimal COMMAND ARG...: runs a command with a metadata server, as `wif-token exec` does. The server returns the same token for
 * every request and checks nothing, so its time and memory are the least that such a server needs. */

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const char body[] = "{\"access_token\":\"x\",\"expires_in\":3599,\"token_type\":\"Bearer\"}";

static void serve(int listener)
{
    char response[512], request[4096];
    int size = snprintf(response, sizeof response,
                        "HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                        sizeof body - 1, body);
    for (;;) {
        int on = 1, connection = accept(listener, NULL, NULL);
        size_t length = 0;
        setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        for (;;) {
            ssize_t got = read(connection, request + length, sizeof request - 1 - length);
            if (got <= 0)
                break;
            request[length += got] = 0;
            if (strstr(request, "\r\n\r\n") == NULL)
                continue;
            if (write(connection, response, size) != size || strstr(request, "Connection: close"))
                break;
            length = 0;
        }
        close(connection);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int status, listener = socket(AF_INET, SOCK_STREAM, 0);
    char host[32];

    if (argc < 2 || bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1024) ||
        getsockname(listener, (struct sockaddr *)&address, &size))
        return 2;
    snprintf(host, sizeof host, "127.0.0.1:%d", ntohs(address.sin_port));
    setenv("GCE_METADATA_HOST", host, 1);
    pid_t command = fork();
    if (command == 0) {
        close(listener);
        execvp(argv[1], argv + 1);
        _exit(127);
    }
    pid_t server = fork();
    if (server == 0)
        serve(listener);
    waitpid(command, &status, 0);
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
