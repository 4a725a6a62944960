/* Data that is too long for a transaction, brought in pieces, then used as an instruction's data. Content means nothing here. */
#pragma once
#include "borsh.h"

enum { STAGE_ACCOUNT, STAGE_AUTHORITY, STAGE_COUNT };

/* The account was made by the system program in the same transaction: empty, of the wanted length, owned by the gateway. */
static u64 stage(Gateway *gateway) {
  Account *account = &gateway->accounts[STAGE_ACCOUNT];
  const Account *authority = &gateway->accounts[STAGE_AUTHORITY];
  Reader reader = reader_of(gateway->data);
  TRY(require_end(&reader));
  TRY(require_signer(authority));
  TRY(require_writable(account));
  REQUIRE(is_ours(gateway, account), WRONG_OWNER);
  REQUIRE(account->data_length >= sizeof(Stage), STAGE_TOO_SHORT);
  Stage *made = (Stage *)account->data;
  /* SECURITY: any account of ours would do otherwise, and could then be written at will */
  REQUIRE(made->discriminator == 0, ALREADY_INITIALIZED);
  made->discriminator = STAGE_DISCRIMINATOR;
  copy32(made->authority, authority->key);
  return 0;
}

static u64 require_stage(const Gateway *gateway, Stage **stage) {
  const Account *account = &gateway->accounts[STAGE_ACCOUNT], *authority = &gateway->accounts[STAGE_AUTHORITY];
  TRY(require_state(gateway, account, STAGE_DISCRIMINATOR, sizeof(Stage)));
  *stage = (Stage *)account->data;
  TRY(require_signer(authority));
  /* SECURITY: what a wallet signs for must be its own words */
  REQUIRE(is_account(authority, (*stage)->authority), NOT_STAGE_AUTHORITY);
  return 0;
}

static u64 append(Gateway *gateway) {
  Stage *stage;
  TRY(require_stage(gateway, &stage));
  TRY(require_writable(&gateway->accounts[STAGE_ACCOUNT]));
  Reader reader = reader_of(gateway->data);
  u64 offset = read_u32(&reader);
  Bytes piece = read_bytes(&reader);
  TRY(require_end(&reader));
  /* SECURITY: beyond the account lies another one */
  REQUIRE(offset + piece.length <= gateway->accounts[STAGE_ACCOUNT].data_length - sizeof(Stage), STAGE_TOO_SHORT);
  if (piece.length) memcpy(stage->content + offset, piece.data, piece.length);
  if (offset + piece.length > stage->length) stage->length = offset + piece.length;
  return 0;
}

static u64 close_stage(Gateway *gateway) {
  Stage *stage;
  TRY(require_stage(gateway, &stage));
  Reader reader = reader_of(gateway->data);
  TRY(require_end(&reader));
  return close_state(&gateway->accounts[STAGE_ACCOUNT], &gateway->accounts[STAGE_AUTHORITY]);
}

/* Takes the stage and its authority off the accounts, and its content for the data. */
static u64 use_stage(Gateway *gateway) {
  Stage *stage;
  REQUIRE(gateway->account_count >= STAGE_COUNT, MISSING_ACCOUNTS);
  TRY(require_stage(gateway, &stage));
  Reader reader = reader_of(gateway->data);
  TRY(require_end(&reader));
  gateway->data = (Bytes){stage->content, stage->length};
  /* SECURITY: pieces of the data would change while they are read, were the stage one of the accounts too */
  for (u64 i = STAGE_COUNT; i < gateway->account_count; ++i) {
    REQUIRE(gateway->accounts[i].key != gateway->accounts[STAGE_ACCOUNT].key, DUPLICATE_ACCOUNT);
  }
  gateway->accounts += STAGE_COUNT;
  gateway->account_count -= STAGE_COUNT;
  return 0;
}
