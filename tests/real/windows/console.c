/* console MARK COMMAND: runs the command on a new console, and sends Ctrl-C to all programs of that console when the file MARK exists.
 * Exits with the exit code of the command. */
#include <windows.h>
#include <stdio.h>

static BOOL WINAPI goes_on(DWORD event) { return TRUE; }

int wmain(int count, wchar_t **word) {
    if (count != 3) return 101;
    FreeConsole();
    if (!AllocConsole()) return 102;
    SetConsoleCtrlHandler(goes_on, TRUE);
    STARTUPINFOW start = {.cb = sizeof start};
    PROCESS_INFORMATION made;
    if (!CreateProcessW(NULL, word[2], NULL, NULL, FALSE, 0, NULL, NULL, &start, &made)) return 103;
    while (GetFileAttributesW(word[1]) == INVALID_FILE_ATTRIBUTES)
        if (WaitForSingleObject(made.hProcess, 10) == WAIT_OBJECT_0) return 104;
    if (!GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0)) return 105;
    WaitForSingleObject(made.hProcess, INFINITE);
    DWORD code;
    GetExitCodeProcess(made.hProcess, &code);
    return code;
}
