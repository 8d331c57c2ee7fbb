/* endures MARK MILLISECONDS: creates the file MARK, then counts Ctrl-C for this time. Exits with 40 plus the count. */
#include <windows.h>
#include <stdlib.h>

static volatile LONG seen;

static BOOL WINAPI counts(DWORD event) {
    InterlockedIncrement(&seen);
    return TRUE;
}

int wmain(int count, wchar_t **word) {
    if (count != 3) return 1;
    SetConsoleCtrlHandler(counts, TRUE);
    CloseHandle(CreateFileW(word[1], GENERIC_WRITE, 0, NULL, CREATE_NEW, 0, NULL));
    Sleep(_wtoi(word[2]));
    return 40 + seen;
}
