/* A program for the gateway's tests: asks, is called, calls back, misbehaves. The first byte of its data says what it does. */
#include "../../../contracts/svm/src/runtime.h"

enum { ASK = 1, ANSWER = 2, FAIL = 3, PASS_ON = 4, TELL_FLAGS = 5 };

extern u64 sol_set_return_data(const u8 *data, u64 length);

typedef struct {
  Account accounts[64];
  Account passed[64];
  Meta metas[64];
} Heap;

#define CALLBACK 0x4b8fa79f989bd8cdULL

/* Passes all accounts after the first, which is the program to call; `own` signs. */
static u64 pass_on(Heap *heap, u64 count, Bytes data, const u8 *own, const Signer *signer) {
  for (u64 i = 1; i < count; ++i) {
    Account *account = &heap->accounts[i];
    heap->metas[i - 1] = (Meta){account->key, account->is_writable, account->is_signer || (own && is_same(account->key, own))};
    heap->passed[i - 1] = *account;
  }
  Instruction call = {heap->accounts[0].key, heap->metas, count - 1, data.data, data.length};
  return sol_invoke_signed_c(&call, heap->passed, count - 1, signer, signer ? 1 : 0);
}

/* Writes what it is told into its own account, unless that account's first byte says to fail. */
static u64 take_callback(Heap *heap, u64 count, Bytes data) {
  if (count < 2 || !heap->accounts[0].is_signer) return 77;
  Account *memory = &heap->accounts[1];
  if (memory->data[0] == 1) return 78;
  *(u64 *)(memory->data + 8) += 1;
  memcpy(memory->data + 16, data.data, data.length);
  return 0;
}

u64 entrypoint(u8 *input) {
  Heap *heap = (Heap *)0x300000000ULL;
  u64 count = *(u64 *)input;
  u8 *at = input + 8;
  for (u64 i = 0; i < count; ++i) {
    Account *account = &heap->accounts[i];
    if (at[0] != 0xff) {
      *account = heap->accounts[at[0]];
      at += 8;
      continue;
    }
    account->is_signer = at[1];
    account->is_writable = at[2];
    account->is_executable = at[3];
    account->key = at + 8;
    account->owner = at + 40;
    account->lamports = (u64 *)(at + 72);
    account->data_length = *(u64 *)(at + 80);
    account->data = at + 88;
    at += 88 + account->data_length + 10240;
    at = (u8 *)(((u64)at + 7) & ~7ULL) + 8;
  }
  Bytes data = {at + 8, *(u64 *)at};
  const u8 *program = at + 8 + data.length;
  if (data.length >= 8 && *(const u64 *)data.data == CALLBACK) return take_callback(heap, count, data);
  u8 what = data.data[0];
  Bytes rest = {data.data + 1, data.length - 1};
  if (what == ANSWER) return sol_set_return_data(rest.data, rest.length);
  if (what == FAIL) return 79;
  if (what == PASS_ON) return pass_on(heap, count, rest, 0, 0);
  if (what == TELL_FLAGS) {
    u8 flags[2] = {heap->accounts[0].is_signer, heap->accounts[0].is_writable};
    return sol_set_return_data(flags, 2);
  }
  if (what != ASK) return 80;
  u8 own[32];
  Bytes seeds[2] = {TEXT("xvm"), {rest.data, 1}};
  Signer signer = {seeds, 2};
  sol_create_program_address(seeds, 2, program, own);
  return pass_on(heap, count, (Bytes){rest.data + 1, rest.length - 1}, own, &signer);
}
