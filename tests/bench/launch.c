/* launch INPUT PROGRAM ARG...: runs a program once with stdin from a file and stdout on /dev/null and prints to stdout
 * "NANOSECONDS PEAK_KIB STATUS": wall time from before the spawn to after the exit, and its peak resident memory.
 *
 * A small static program of its own, because Linux carries the high-water mark of the process that calls exec over
 * to the program it becomes: measured from Python, nothing seems to need less memory than Python. */

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
    posix_spawn_file_actions_t files;
    struct rusage used;
    pid_t pid;
    int status;

    if (argc < 3)
        return 2;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, argv[1], O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    long long began = now();
    if (posix_spawnp(&pid, argv[2], &files, NULL, argv + 2, environ) != 0)
        return 127;
    wait4(pid, &status, 0, &used);
    printf("%lld %ld %d\n", now() - began, used.ru_maxrss, status);
    return 0;
}
