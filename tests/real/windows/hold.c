/* hold FOLDER PATTERN: waits for a file whose name matches the pattern, and opens it for reading so that nobody can rename or replace it.
 * Prints that the file is open, and closes it at the end of standard input. */
#include <windows.h>
#include <stdio.h>

int wmain(int count, wchar_t **word) {
    if (count != 3 || !SetCurrentDirectoryW(word[1])) return 1;
    HANDLE file = INVALID_HANDLE_VALUE;
    for (; file == INVALID_HANDLE_VALUE; Sleep(1)) {
        WIN32_FIND_DATAW found;
        HANDLE search = FindFirstFileW(word[2], &found);
        if (search == INVALID_HANDLE_VALUE) continue;
        file = CreateFileW(found.cFileName, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
        FindClose(search);
    }
    puts("held");
    fflush(stdout);
    while (getchar() != EOF) {}
    return 0;
}
