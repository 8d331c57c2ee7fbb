/* launch INPUT PROGRAM ARG...: runs a program once, with stdin from the file INPUT and stdout on /dev/null. Prints
 * "NANOSECONDS PEAK_KIB STATUS": the wall time from before the spawn to after the exit, the peak resident memory, and the status.
 *
 * This is a small static program, because Linux copies the peak memory of the process that calls exec to the program that
 * it becomes: if Python started the program, the peak would be at least that of Python. */

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
