/* A program that asks for anything, anywhere, and writes down what it is answered. Each question has an account of its own, which
 * is its owner's. On demand its handler fails, or does what a hostile one would.
 */
#include "client.h"

enum { MAX_KEPT = 1024 };
enum { WAITING = 1, ANSWERED = 2, GIVEN_UP = 3 };
enum { KEEP = 0, REFUSE = 1, REENTER = 2, STEAL = 3, MANNER_COUNT = 4 };

#define QUESTION_DISCRIMINATOR 0x7f767ab5dc96166fULL
#define QUESTION_SEED "question"

#define ASK 0xb996fb6a2b231e61ULL
#define SET_MANNER 0x0789214dd30e5063ULL
#define CANCEL 0xbedcecdb29dfdbe8ULL
#define CLOSE 0x60ce416cb1c9a562ULL

/* Seeds: "question", owner, salt (u64). The owner asks as "xvm", owner. */
typedef struct {
  u64 discriminator;
  u8 owner[32];
  u8 gateway[32]; /* whose answer counts */
  u8 request_id[32];
  u64 salt;
  u8 status;
  u8 manner; /* of the handler */
  u8 success;
  u8 bump;
  u32 return_length;         /* of the whole answer */
  u8 return_data[MAX_KEPT]; /* its beginning */
} Question;

static u64 require_question(const Program *program, const Account *account, Question **question) {
  TRY(require_writable(account));
  TRY(require_state(program, account, QUESTION_DISCRIMINATOR, sizeof(Question)));
  *question = (Question *)account->data;
  Bytes seeds[4] = {TEXT(QUESTION_SEED), word_of((*question)->owner), {(u8 *)&(*question)->salt, 8}};
  return require_address(program, account, seeds, 3, &(*question)->bump);
}

/* A question of who signs for it. */
static u64 require_own_question(const Program *program, const Account *owner, const Account *account, Question **question) {
  TRY(require_question(program, account, question));
  /* SECURITY: what was asked is its owner's, and so is what was paid for it */
  TRY(require_signer(owner));
  REQUIRE(is_account(owner, (*question)->owner), NOT_ASKER);
  return 0;
}

enum { ASK_QUESTION = REQUEST_COUNT, ASK_COUNT };

/* Data: manner, further accounts for the handler, then a request as the gateway takes it, up to the metadata. The payer is the
 * owner. */
static u64 ask_anything(Program *program, Reader *reader) {
  const Account *owner = &program->accounts[PAYER];
  u8 metadata[MAX_HANDLER_METADATA];
  u8 manner = read_u8(reader);
  u64 count = read_u32(reader);
  REQUIRE(manner < MANNER_COUNT, MALFORMED_INSTRUCTION);
  REQUIRE(count < MAX_HANDLER_ACCOUNTS, TOO_MANY_HANDLER_ACCOUNTS);
  REQUIRE(reader->left >= HANDLER_ACCOUNT_LENGTH * count + 8, MALFORMED_INSTRUCTION);
  Writer handler_accounts = begin_handler_accounts(metadata, (u8)(1 + count));
  write_handler_account(&handler_accounts, program->accounts[ASK_QUESTION].key, 1);
  write_fixed(&handler_accounts, read_fixed(reader, HANDLER_ACCOUNT_LENGTH * count), HANDLER_ACCOUNT_LENGTH * count);
  Writer request = begin_question(program);
  write_fixed(&request, reader->at, reader->left);
  u64 salt = read_u64(reader);
  Creation made = {.payer = &program->accounts[PAYER], .account = &program->accounts[ASK_QUESTION]};
  made.seeds[0] = TEXT(QUESTION_SEED);
  made.seeds[1] = word_of(owner->key);
  made.seeds[2] = (Bytes){(u8 *)&salt, 8};
  made.seed_count = 3;
  made.length = sizeof(Question);
  made.discriminator = QUESTION_DISCRIMINATOR;
  TRY(create_state(program, &made));
  Question *question = (Question *)made.account->data;
  copy32(question->owner, owner->key);
  copy32(question->gateway, program->accounts[PROGRAM].key);
  question->salt = salt;
  question->status = WAITING;
  question->manner = manner;
  question->bump = made.bump;
  /* SECURITY: each owner asks as an address of its own: nobody can ask in another's name, not by a gateway that is none either */
  Asker asker = {.seed = word_of(question->owner)};
  TRY(find_asker(program, &asker));
  Bytes written = {metadata, (u64)(handler_accounts.at - metadata)};
  return ask_question(program, &request, written, &asker, question->request_id);
}

/* What a hostile handler would try. The runtime and the gateway see to it that none of it works. */
static u64 misbehave(Program *program, const Question *question) {
  if (question->manner == STEAL) {
    for (u64 i = HANDLER_STATE + 1; i < program->account_count; ++i) {
      *program->accounts[HANDLER_STATE].lamports += *program->accounts[i].lamports;
      *program->accounts[i].lamports = 0;
    }
    return 0;
  }
  const Account *authority = &program->accounts[HANDLER_AUTHORITY];
  const u8 tag = CANCEL_TAG;
  program->metas[0] = (Meta){authority->key, 0, 1};
  Instruction call = {question->gateway, program->metas, 1, &tag, 1};
  return sol_invoke_signed_c(&call, authority, 1, 0, 0);
}

/* The callback. */
static u64 handle(Program *program, Reader *reader) {
  Question *question;
  Answer answer;
  /* SECURITY: whoever runs the callback chooses the accounts: this one must be ours */
  TRY(require_question(program, &program->accounts[HANDLER_STATE], &question));
  TRY(take_answer(program, reader, question->gateway, &answer));
  /* SECURITY: or another question would have this one's answer */
  REQUIRE(is_same(answer.request_id, question->request_id), OTHER_QUESTION);
  REQUIRE(question->status == WAITING, NOT_WAITING);
  REQUIRE(question->manner != REFUSE, HANDLER_REFUSES);
  if (question->manner != KEEP) return misbehave(program, question);
  question->status = ANSWERED;
  question->success = answer.success;
  question->return_length = (u32)answer.return_data.length;
  memcpy(question->return_data, answer.return_data.data, answer.return_data.length < MAX_KEPT ? answer.return_data.length : MAX_KEPT);
  return 0;
}

enum { OWN_OWNER, OWN_QUESTION, OWN_COUNT };

/* Changes what the handler does: one that failed may succeed when the callback is run again. */
static u64 set_manner(Program *program, Reader *reader) {
  Question *question;
  u8 manner = read_u8(reader);
  TRY(require_end(reader));
  TRY(require_own_question(program, &program->accounts[OWN_OWNER], &program->accounts[OWN_QUESTION], &question));
  REQUIRE(manner < MANNER_COUNT, MALFORMED_INSTRUCTION);
  question->manner = manner;
  return 0;
}

enum { CANCEL_OWNER = CANCEL_COUNT, CANCEL_QUESTION, CANCEL_QUESTION_COUNT };

/* Gives a question up whose deadline is over. */
static u64 give_up(Program *program, Reader *reader) {
  Question *question;
  TRY(require_end(reader));
  TRY(require_own_question(program, &program->accounts[CANCEL_OWNER], &program->accounts[CANCEL_QUESTION], &question));
  REQUIRE(question->status == WAITING, NOT_WAITING);
  REQUIRE(is_account(&program->accounts[PROGRAM], question->gateway), WRONG_GATEWAY);
  Asker asker = {.seed = word_of(question->owner)};
  TRY(find_asker(program, &asker));
  TRY(cancel_question(program, &asker, question->request_id, question->salt));
  question->status = GIVEN_UP;
  return 0;
}

/* Forgets a question that waits no more; its rent is the owner's again. */
static u64 close_question(Program *program, Reader *reader) {
  Question *question;
  Account *owner = &program->accounts[OWN_OWNER], *account = &program->accounts[OWN_QUESTION];
  TRY(require_end(reader));
  TRY(require_own_question(program, owner, account, &question));
  REQUIRE(question->status != WAITING, STILL_WAITING);
  return close_state(account, owner);
}

u64 entrypoint(u8 *input) {
  Program *program = GATEWAY;
  Reader reader;
  u64 discriminator;
  TRY(begin(input, program, &reader, &discriminator));
  switch (discriminator) {
    CASE(ASK, ASK_COUNT, ask_anything);
    CASE(CALLBACK_DISCRIMINATOR, HANDLER_STATE + 1, handle);
    CASE(SET_MANNER, OWN_COUNT, set_manner);
    CASE(CANCEL, CANCEL_QUESTION_COUNT, give_up);
    CASE(CLOSE, OWN_COUNT, close_question);
    default:
      return MALFORMED_INSTRUCTION;
  }
}
