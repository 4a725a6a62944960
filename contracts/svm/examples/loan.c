/* Loans of a token on an EVM chain against lamports that are locked here. Results move between the chains, assets never: the
 * collateral stays in the loan's account until the other chain says that nothing is owed.
 *
 * borrow: locks, and asks the lender's contract to pay out (CALL). Paid out: lent. Any other outcome: unlocked.
 * settle: asks the lender's contract how the loan stands (QUERY). Repaid: unlocked.
 * give_up: for want of an answer. What became of a loan that may or may not have been paid out, `settle` tells.
 */
#include "client.h"

enum { WAITING = 1, LENT = 2, UNKNOWN = 3 /* given up; it is not paid out any more, but may have been */ };
enum { REMOTE_NONE = 0, REMOTE_LENT = 1, REMOTE_REPAID = 2 }; /* as the lender's contract numbers them */

#define POOL_DISCRIMINATOR 0xbc6db111046d9af1ULL
#define LOAN_DISCRIMINATOR 0x01b6e3a57546c314ULL
#define POOL_SEED "pool"
#define LOAN_SEED "loan"

#define OPEN_POOL 0xe4cdf6013d6ed760ULL
#define BORROW 0x125974cfca83fde4ULL
#define SETTLE 0xd466839057b92aafULL
#define GIVE_UP 0x06a10dded5529c4bULL

static const u8 LEND[4] = {0xd0, 0x32, 0x83, 0xdd};   /* lend(bytes32,address,uint256) */
static const u8 STATUS[4] = {0x52, 0xad, 0x0d, 0x5e}; /* status(bytes32) */

/* Seeds: "pool", creator. A lender's contract and what it wants for its token. It is asked as "xvm", pool, and must believe that
 * address alone. */
typedef struct {
  u64 discriminator;
  u8 creator[32];
  u8 gateway[32]; /* whose answers count */
  u64 units_per_lamport; /* of the token's smallest unit; what one lamport of collateral is good for */
  u8 bump;
  u8 reserved[6];
  u8 lender_length;
  u8 lender[MAX_GATEWAY_LENGTH]; /* ERC-7930 */
} Pool;

/* Seeds: "loan", pool, borrower, salt (u64). Its lamports above the rent are the collateral. The lender's contract knows the loan
 * by this account's address. */
typedef struct {
  u64 discriminator;
  u8 pool[32];
  u8 borrower[32];
  u8 gateway[32];
  u8 request_id[32]; /* of the last question */
  u64 salt;
  u64 amount;    /* of the token's smallest unit */
  u64 questions; /* asked so far */
  u8 status;
  u8 is_asking;
  u8 bump;
  u8 reserved[5];
} Loan;

enum { POOL_CREATOR, POOL_POOL, POOL_GATEWAY, POOL_SYSTEM, POOL_COUNT };

static u64 open_pool(Program *program, Reader *reader) {
  const Account *creator = &program->accounts[POOL_CREATOR];
  Bytes lender = read_bytes(reader);
  u64 units_per_lamport = read_u64(reader);
  TRY(require_end(reader));
  /* SECURITY: behind the pool lies what is not its own */
  REQUIRE(lender.length <= MAX_GATEWAY_LENGTH, MALFORMED_ADDRESS);
  REQUIRE(units_per_lamport != 0, OUT_OF_BOUNDS);
  Creation made = {.payer = &program->accounts[POOL_CREATOR], .account = &program->accounts[POOL_POOL]};
  made.seeds[0] = TEXT(POOL_SEED);
  made.seeds[1] = word_of(creator->key);
  made.seed_count = 2;
  made.length = sizeof(Pool);
  made.discriminator = POOL_DISCRIMINATOR;
  TRY(create_state(program, &made));
  Pool *pool = (Pool *)made.account->data;
  copy32(pool->creator, creator->key);
  copy32(pool->gateway, program->accounts[POOL_GATEWAY].key);
  pool->units_per_lamport = units_per_lamport;
  pool->bump = made.bump;
  pool->lender_length = (u8)lender.length;
  memcpy(pool->lender, lender.data, lender.length);
  return 0;
}

/* The pool, to be dealt with through this gateway. */
static u64 require_pool(const Program *program, const Account *account, Pool **pool) {
  TRY(require_state(program, account, POOL_DISCRIMINATOR, sizeof(Pool)));
  *pool = (Pool *)account->data;
  Bytes seeds[3] = {TEXT(POOL_SEED), word_of((*pool)->creator)};
  TRY(require_address(program, account, seeds, 2, &(*pool)->bump));
  /* SECURITY: a program in the gateway's place would get the pool's signature, and ask the lender for anything */
  REQUIRE(is_account(&program->accounts[PROGRAM], (*pool)->gateway), WRONG_GATEWAY);
  return 0;
}

static u64 require_loan(const Program *program, const Account *account, Loan **loan) {
  TRY(require_writable(account));
  TRY(require_state(program, account, LOAN_DISCRIMINATOR, sizeof(Loan)));
  *loan = (Loan *)account->data;
  Bytes seeds[5] = {TEXT(LOAN_SEED), word_of((*loan)->pool), word_of((*loan)->borrower), {(u8 *)&(*loan)->salt, 8}};
  return require_address(program, account, seeds, 4, &(*loan)->bump);
}

/* The salt of a loan's last question. SECURITY: all loans of a pool ask as one address: salts of the borrowers' choice could be
 * taken by another. */
static u64 salt_of(const u8 *loan_key, const Loan *loan) { return *(const u64 *)loan_key + loan->questions; }

enum { ASK_POOL = REQUEST_COUNT, ASK_LOAN, ASK_COUNT };

typedef struct {
  u64 max_fee;
  Bytes payload;
  u8 mode;
} Question;

/* Asks the lender's contract about a loan, by the route's defaults. */
static u64 ask_lender(Program *program, const Pool *pool, Loan *loan, const Question *asked) {
  const u8 *key = program->accounts[ASK_LOAN].key;
  ++loan->questions;
  loan->is_asking = 1;
  Writer question = begin_question(program);
  write_u64(&question, salt_of(key, loan));
  write_u64(&question, asked->max_fee);
  write_bytes(&question, (Bytes){pool->lender, pool->lender_length});
  write_bytes(&question, asked->payload);
  write_u8(&question, asked->mode);
  write_u8(&question, 0);         /* own account */
  write_u64(&question, 0);        /* execution gas */
  write_u64(&question, 0);        /* callback compute units */
  write_u32(&question, 0);        /* return limit */
  write_u64(&question, 0);        /* expiry */
  write_u8(&question, 0);         /* ordered */
  write_word(&question, NOTHING); /* code hash */
  write_u32(&question, 0);        /* dispute blocks */
  write_u64(&question, 0);        /* deadline */
  u8 metadata[MAX_HANDLER_METADATA];
  Writer written = begin_handler_accounts(metadata, 2);
  write_handler_account(&written, key, 1);
  write_handler_account(&written, loan->borrower, 1);
  Asker asker = {.seed = word_of(program->accounts[ASK_POOL].key)};
  TRY(find_asker(program, &asker));
  return ask_question(program, &question, (Bytes){metadata, (u64)(written.at - metadata)}, &asker, loan->request_id);
}

/* Locks the collateral and asks for the loan. The payer is the borrower. */
static u64 borrow(Program *program, Reader *reader) {
  Account *borrower = &program->accounts[PAYER];
  u64 salt = read_u64(reader), amount = read_u64(reader), max_fee = read_u64(reader);
  const u8 *recipient = read_fixed(reader, 20);
  TRY(require_end(reader));
  Pool *pool;
  TRY(require_pool(program, &program->accounts[ASK_POOL], &pool));
  Creation made = {.payer = borrower, .account = &program->accounts[ASK_LOAN]};
  made.lamports = amount / pool->units_per_lamport + (amount % pool->units_per_lamport != 0);
  made.seeds[0] = TEXT(LOAN_SEED);
  made.seeds[1] = word_of(program->accounts[ASK_POOL].key);
  made.seeds[2] = word_of(borrower->key);
  made.seeds[3] = (Bytes){(u8 *)&salt, 8};
  made.seed_count = 4;
  made.length = sizeof(Loan);
  made.discriminator = LOAN_DISCRIMINATOR;
  TRY(create_state(program, &made));
  Loan *loan = (Loan *)made.account->data;
  copy32(loan->pool, program->accounts[ASK_POOL].key);
  copy32(loan->borrower, borrower->key);
  copy32(loan->gateway, pool->gateway);
  loan->salt = salt;
  loan->amount = amount;
  loan->status = WAITING;
  loan->bump = made.bump;
  u8 call[4 + 3 * 32] = {0};
  memcpy(call, LEND, 4);
  copy32(call + 4, made.account->key);
  memcpy(call + 4 + 32 + 12, recipient, 20);
  put_number(call + 4 + 64, amount);
  Question asked = {max_fee, {call, sizeof call}, CALL};
  return ask_lender(program, pool, loan, &asked);
}

/* Asks how a loan stands; anyone may, and pays for it. */
static u64 settle(Program *program, Reader *reader) {
  u64 max_fee = read_u64(reader);
  TRY(require_end(reader));
  Pool *pool;
  Loan *loan;
  TRY(require_pool(program, &program->accounts[ASK_POOL], &pool));
  TRY(require_loan(program, &program->accounts[ASK_LOAN], &loan));
  /* SECURITY: another pool's lender knows nothing of this loan */
  REQUIRE(is_account(&program->accounts[ASK_POOL], loan->pool), WRONG_ADDRESS);
  REQUIRE(!loan->is_asking, STILL_WAITING);
  u8 call[4 + 32];
  memcpy(call, STATUS, 4);
  copy32(call + 4, program->accounts[ASK_LOAN].key);
  Question asked = {max_fee, {call, sizeof call}, QUERY};
  return ask_lender(program, pool, loan, &asked);
}

enum { HANDLE_BORROWER = HANDLER_STATE + 1, HANDLE_COUNT };

/* Ends a loan: collateral and rent to the borrower. */
static u64 unlock(Program *program, const Loan *loan) {
  Account *borrower = &program->accounts[HANDLE_BORROWER];
  /* SECURITY: whoever runs the callback chooses the accounts */
  REQUIRE(is_account(borrower, loan->borrower), NOT_BORROWER);
  return close_state(&program->accounts[HANDLER_STATE], borrower);
}

/* The callback. An answer of no use is no failure: it would be run again and again, in vain. */
static u64 handle(Program *program, Reader *reader) {
  Loan *loan;
  Answer answer;
  /* SECURITY: whoever runs the callback chooses the accounts: this one must be ours */
  TRY(require_loan(program, &program->accounts[HANDLER_STATE], &loan));
  TRY(take_answer(program, reader, loan->gateway, &answer));
  /* SECURITY: or one loan would be unlocked by another's being repaid */
  REQUIRE(is_same(answer.request_id, loan->request_id), OTHER_QUESTION);
  REQUIRE(loan->is_asking, NOT_WAITING);
  loan->is_asking = 0;
  if (loan->status == WAITING) {
    /* whatever the outcome but EXECUTED, it is final that nothing was paid out */
    if (!answer.success) return unlock(program, loan);
    loan->status = LENT;
    return 0;
  }
  if (!answer.success || answer.return_data.length != 32) return 0;
  u8 remote = answer.return_data.data[31];
  if (remote == REMOTE_REPAID) return unlock(program, loan);
  /* SECURITY: a loan that is known to be lent is none to a node that has not seen it yet: only what was given up, and can be paid
   * out no more, is unlocked for having never been */
  if (remote == REMOTE_NONE && loan->status == UNKNOWN) return unlock(program, loan);
  if (remote == REMOTE_LENT) loan->status = LENT;
  return 0;
}

enum { GIVE_UP_BORROWER = CANCEL_COUNT, GIVE_UP_POOL, GIVE_UP_LOAN, GIVE_UP_COUNT };

/* Waits for an answer no longer. SECURITY: nothing is unlocked: what was not answered may have been paid out nevertheless. */
static u64 give_up(Program *program, Reader *reader) {
  TRY(require_end(reader));
  Pool *pool;
  Loan *loan;
  const Account *borrower = &program->accounts[GIVE_UP_BORROWER], *pool_account = &program->accounts[GIVE_UP_POOL];
  TRY(require_pool(program, pool_account, &pool));
  TRY(require_loan(program, &program->accounts[GIVE_UP_LOAN], &loan));
  /* SECURITY: another pool has asked for no such loan, and has no pending request to show for it */
  REQUIRE(is_account(pool_account, loan->pool), WRONG_ADDRESS);
  /* SECURITY: anybody else would have every loan asked for given up at its deadline */
  TRY(require_signer(borrower));
  REQUIRE(is_account(borrower, loan->borrower), NOT_BORROWER);
  REQUIRE(loan->is_asking, NOT_WAITING);
  Asker asker = {.seed = word_of(pool_account->key)};
  TRY(find_asker(program, &asker));
  TRY(cancel_question(program, &asker, loan->request_id, salt_of(program->accounts[GIVE_UP_LOAN].key, loan)));
  loan->is_asking = 0;
  if (loan->status == WAITING) loan->status = UNKNOWN;
  return 0;
}

u64 entrypoint(u8 *input) {
  Program *program = GATEWAY;
  Reader reader;
  u64 discriminator;
  TRY(begin(input, program, &reader, &discriminator));
  switch (discriminator) {
    CASE(OPEN_POOL, POOL_COUNT, open_pool);
    CASE(BORROW, ASK_COUNT, borrow);
    CASE(SETTLE, ASK_COUNT, settle);
    CASE(CALLBACK_DISCRIMINATOR, HANDLE_COUNT, handle);
    CASE(GIVE_UP, GIVE_UP_COUNT, give_up);
    default:
      return MALFORMED_INSTRUCTION;
  }
}
