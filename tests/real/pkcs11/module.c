/* Wraps SoftHSM as a module that misbehaves in the ways that the variable MISBEHAVE names, separated by commas. It writes the names of
 * some calls to the file CALLS, one on each line. See ../test_pkcs11.py. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef unsigned long number;
typedef struct { unsigned char version[2]; void *functions[68]; } list;
typedef struct { number type; void *value; number length; } attribute;

/* The order of the functions is that of the standard. */
enum { INITIALIZE = 0, TOKEN_INFO = 6, MECHANISMS = 7, LOGIN = 18, ATTRIBUTE = 24, SIGN = 43, GENERATE = 59 };
enum { GENERAL_ERROR = 0x5, DEVICE_REMOVED = 0x32, PIN_LENGTH = 0xa2, PIN_EXPIRED = 0xa3, PIN_LOCKED = 0xa4, NOT_LOGGED_IN = 0x101 };
enum { ALWAYS_AUTHENTICATE = 0x202, CONTEXT_SPECIFIC = 2 };
enum { PSS = 0xd, SHA256_PSS = 0x43, SHA256_RSA = 0x40 };

static list ours, *theirs;
static int approved;

static int misbehaves(const char *how) {
  const char *all = getenv("MISBEHAVE");
  return all != NULL && strstr(all, how) != NULL;
}

static void note(const char *call) {
  const char *path = getenv("CALLS");
  FILE *file = path == NULL ? NULL : fopen(path, "a");
  if (file != NULL) {
    fprintf(file, "%s\n", call);
    fclose(file);
  }
}

static void *chatter(void *unused) {
  for (;;) {
    printf("module: noise on standard output\n");
    fflush(stdout);
    fprintf(stderr, "module: noise on standard error\n");
    usleep(1000);
  }
  return unused;
}

static number initialize(void *arguments) {
  pthread_t thread;
  note("C_Initialize");
  if (misbehaves("noise")) pthread_create(&thread, NULL, chatter, NULL);
  if (misbehaves("block-initialize")) pause();
  return ((number (*)(void *))theirs->functions[INITIALIZE])(arguments);
}

static number token_info(number slot, unsigned char *info) {
  number result = ((number (*)(number, unsigned char *))theirs->functions[TOKEN_INFO])(slot, info);
  number *flags = (number *)(info + 96);
  if (misbehaves("count-low")) *flags |= 0x10000;
  if (misbehaves("final-try")) *flags |= 0x20000;
  if (misbehaves("flag-locked")) *flags |= 0x40000;
  if (misbehaves("must-change")) *flags |= 0x80000;
  return result;
}

static number mechanisms(number slot, number *found, number *count) {
  number result = ((number (*)(number, number *, number *))theirs->functions[MECHANISMS])(slot, found, count);
  for (number i = 0; result == 0 && found != NULL && i < *count; i++) {
    if (misbehaves("no-pss") && (found[i] == PSS || found[i] == SHA256_PSS)) found[i] = 0;
    if (misbehaves("only-hashes") && (found[i] == SHA256_RSA || found[i] == SHA256_PSS)) found[i] = 0;
  }
  return result;
}

static number login(number session, number user, unsigned char *pin, number length) {
  note(user == CONTEXT_SPECIFIC ? "C_Login for a signature" : "C_Login");
  if (misbehaves("expired")) return PIN_EXPIRED;
  if (misbehaves("length")) return PIN_LENGTH;
  if (misbehaves("locked")) return PIN_LOCKED;
  if (misbehaves("fails")) return GENERAL_ERROR;
  if (user == CONTEXT_SPECIFIC) {
    approved = 1;
    return 0;
  }
  return ((number (*)(number, number, unsigned char *, number))theirs->functions[LOGIN])(session, user, pin, length);
}

static number get_attribute(number session, number object, attribute *wanted, number count) {
  if (misbehaves("always-authenticate") && wanted->type == ALWAYS_AUTHENTICATE) {
    wanted->length = 1;
    if (wanted->value != NULL) *(unsigned char *)wanted->value = 1;
    return 0;
  }
  return ((number (*)(number, number, attribute *, number))theirs->functions[ATTRIBUTE])(session, object, wanted, count);
}

static number sign(number session, unsigned char *data, number size, unsigned char *signature, number *length) {
  static int count;
  count++;
  note("C_Sign");
  if (misbehaves("block-sign")) pause();
  if (misbehaves("removed-for-good") || (misbehaves("removed-once") && count == 1) || (misbehaves("removed-third") && count == 3)) return DEVICE_REMOVED;
  if (misbehaves("always-authenticate") && !approved) return NOT_LOGGED_IN;
  approved = 0;
  return ((number (*)(number, unsigned char *, number, unsigned char *, number *))theirs->functions[SIGN])(session, data, size, signature, length);
}

/* Waits until the file CALLS.go exists. */
static number generate(number session, void *mechanism, void *public, number of_public, void *private, number of_private, number *one, number *other) {
  char go[4096];
  snprintf(go, sizeof go, "%s.go", getenv("CALLS"));
  note("C_GenerateKeyPair");
  while (access(go, F_OK) != 0) usleep(1000);
  return ((number (*)(number, void *, void *, number, void *, number, number *, number *))theirs->functions[GENERATE])(session, mechanism, public, of_public, private, of_private, one, other);
}

__attribute__((destructor)) static void at_exit(void) {
  if (misbehaves("block-exit")) pause();
  if (misbehaves("crash-exit")) abort();
}

number C_GetFunctionList(list **found) {
  void *library = dlopen("/usr/lib/softhsm/libsofthsm2.so", RTLD_NOW | RTLD_LOCAL);
  number (*get)(list **) = (number (*)(list **))dlsym(library, "C_GetFunctionList");
  if (get(&theirs) != 0) return 5;
  ours = *theirs;
  ours.functions[INITIALIZE] = initialize;
  ours.functions[TOKEN_INFO] = token_info;
  ours.functions[MECHANISMS] = mechanisms;
  ours.functions[LOGIN] = login;
  ours.functions[ATTRIBUTE] = get_attribute;
  ours.functions[SIGN] = sign;
  if (misbehaves("hold-generate")) ours.functions[GENERATE] = generate;
  *found = &ours;
  return 0;
}
