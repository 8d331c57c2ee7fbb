/* Wine 8 lacks this library of Windows, from which Rust's standard library takes its random numbers. For the tests only:
 * it stands beside the program there, and is part of nothing that is shipped. */
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG length); /* RtlGenRandom, of advapi32 */

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length) {
    return SystemFunction036(data, (ULONG)length);
}
