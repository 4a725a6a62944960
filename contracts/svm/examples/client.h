/* What a program needs that asks and takes callbacks: the call of the gateway, the signature that it asks with, the check of who
 * calls back.
 *
 * An instruction that asks, or gives a question up, begins with the gateway's own accounts for that, in the gateway's order.
 */
#pragma once
#include "program.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wunused-function"
#include "../src/source.h"
#pragma clang diagnostic pop

enum { REQUEST_TAG = 13, CANCEL_TAG = 15 };
enum { MAX_HANDLER_ACCOUNTS = 7, HANDLER_ACCOUNT_LENGTH = 33, MAX_HANDLER_METADATA = 7 + MAX_HANDLER_ACCOUNTS * HANDLER_ACCOUNT_LENGTH };
enum { HANDLER_AUTHORITY, HANDLER_STATE };

/* The address that a program asks as: "xvm" and a seed of its choice. */
typedef struct {
  Bytes seed;
  u8 address[32];
  u8 bump;
} Asker;

static u64 find_asker(const Program *program, Asker *asker) {
  Bytes seeds[2] = {TEXT(CLIENT_SEED), asker->seed};
  REQUIRE(sol_try_find_program_address(seeds, 2, program->program, asker->address, &asker->bump) == 0, WRONG_ADDRESS);
  return 0;
}

/* Calls the gateway with the first `count` accounts; the one at `place` is the asker and signs. */
static u64 call_gateway(Program *program, u64 count, u64 place, const Writer *data, const Asker *asker) {
  REQUIRE(!data->is_full, EVENT_TOO_LONG);
  for (u64 i = 0; i < count; ++i) {
    const Account *account = &program->accounts[i];
    program->metas[i] = (Meta){account->key, account->is_writable, account->is_signer || i == place};
    program->passed[i] = *account;
  }
  Instruction call = {program->accounts[PROGRAM].key, program->metas, count, program->event, (u64)(data->at - program->event)};
  Bytes seeds[3] = {TEXT(CLIENT_SEED), asker->seed, {&asker->bump, 1}};
  Signer signer = {seeds, 3};
  return sol_invoke_signed_c(&call, program->passed, count, &signer, 1);
}

/* What follows is a request's salt, most fee, target, payload and options, all but the metadata. */
INLINE Writer begin_question(Program *program) {
  Writer question = {program->event, MAX_EVENT_LENGTH, 0};
  write_u8(&question, REQUEST_TAG);
  return question;
}

/* What a handler is called with beyond its authority: `written` names the accounts, each with a byte that says whether it is
 * written. Relayers read it from the request's metadata. */
INLINE Writer begin_handler_accounts(u8 *metadata, u8 count) {
  Writer written = {metadata, MAX_HANDLER_METADATA, 0};
  write_fixed(&written, "xvmcb1", 6);
  write_u8(&written, count);
  return written;
}

static void write_handler_account(Writer *written, const u8 *key, u8 is_writable) {
  write_word(written, key);
  write_u8(written, is_writable);
}

/* Ends a question with its metadata and who is called back, asks it, and tells its id, by which the answer will be known. */
static u64 ask_question(Program *program, Writer *question, Bytes metadata, const Asker *asker, u8 *request_id) {
  write_bytes(question, metadata);
  write_u8(question, 1);
  write_word(question, program->program);
  write_bytes(question, asker->seed);
  write_u8(question, asker->bump);
  TRY(call_gateway(program, REQUEST_COUNT, REQUEST_SENDER, question, asker));
  copy32(request_id, ((const Pending *)program->accounts[REQUEST_PENDING].data)->request_id);
  return 0;
}

/* Cancels a question; the gateway says when that may be. What it gives back goes to who paid for the question. Nothing is left to
 * cancel of one whose outcome was reclaimed before anybody ran the callback. */
static u64 cancel_question(Program *program, const Asker *asker, const u8 *request_id, u64 salt) {
  const Account *account = &program->accounts[CANCEL_PENDING];
  const u8 *gateway = program->accounts[PROGRAM].key;
  if (is_same(account->owner, gateway)) {
    /* SECURITY: all that this address has asked can be cancelled with its signature, others' questions too */
    REQUIRE(account->data_length >= sizeof(Pending), OTHER_QUESTION);
    REQUIRE(is_same(((const Pending *)account->data)->request_id, request_id), OTHER_QUESTION);
    Writer data = {program->event, MAX_EVENT_LENGTH, 0};
    write_u8(&data, CANCEL_TAG);
    return call_gateway(program, CANCEL_COUNT, PAYER, &data, asker);
  }
  u8 address[32], bump;
  Bytes seeds[3] = {TEXT(PENDING_SEED), word_of(asker->address), {(const u8 *)&salt, 8}};
  REQUIRE(sol_try_find_program_address(seeds, 3, gateway, address, &bump) == 0, WRONG_ADDRESS);
  /* SECURITY: an empty account elsewhere would be shown for a question that is open */
  REQUIRE(is_account(account, address), WRONG_ADDRESS);
  return 0;
}

typedef struct {
  const u8 *request_id;
  u8 success;
  Bytes return_data;
} Answer;

/* The answer that a callback brings. SECURITY: anybody may call a handler; as this authority only that gateway signs, and only to
 * this program. */
static u64 take_answer(const Program *program, Reader *reader, const u8 *gateway, Answer *answer) {
  const Account *authority = &program->accounts[HANDLER_AUTHORITY];
  u8 address[32], bump;
  Bytes seeds[2] = {TEXT(CALLBACK_SEED), word_of(program->program)};
  TRY(require_signer(authority));
  REQUIRE(sol_try_find_program_address(seeds, 2, gateway, address, &bump) == 0, WRONG_ADDRESS);
  REQUIRE(is_account(authority, address), WRONG_ADDRESS);
  answer->request_id = read_word(reader);
  answer->success = read_bool(reader);
  answer->return_data = read_bytes(reader);
  return require_end(reader);
}
