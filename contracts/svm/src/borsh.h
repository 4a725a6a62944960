/* Borsh, read strictly and written into the event's place. A fault is remembered and told once, at the end. */
#pragma once
#include "gateway.h"

typedef struct {
  const u8 *at;
  u64 left;
  u64 is_short;
} Reader;

static const u8 NOTHING[64] = {0};

INLINE Reader reader_of(Bytes bytes) { return (Reader){bytes.data, bytes.length, 0}; }

/* The next bytes; what is not there reads as up to 64 zeros. */
static const u8 *read_fixed(Reader *reader, u64 length) {
  if (reader->left < length) {
    reader->is_short = 1;
    reader->left = 0;
    return NOTHING;
  }
  const u8 *at = reader->at;
  reader->at += length;
  reader->left -= length;
  return at;
}

static inline u8 read_u8(Reader *reader) { return *read_fixed(reader, 1); }
static inline u16 read_u16(Reader *reader) { return *(const u16 *)read_fixed(reader, 2); }
static inline u32 read_u32(Reader *reader) { return *(const u32 *)read_fixed(reader, 4); }
static inline u64 read_u64(Reader *reader) { return *(const u64 *)read_fixed(reader, 8); }
static inline const u8 *read_word(Reader *reader) { return read_fixed(reader, 32); }

static u8 read_bool(Reader *reader) {
  u8 value = read_u8(reader);
  if (value > 1) reader->is_short = 1;
  return value;
}

INLINE Bytes read_bytes(Reader *reader) {
  u64 length = read_u32(reader);
  if (reader->left < length) {
    reader->is_short = 1;
    return NONE;
  }
  return (Bytes){read_fixed(reader, length), length};
}

/* SECURITY: bytes behind the last field would be signed by a wallet and mean nothing here. */
static inline u64 require_end(const Reader *reader) {
  REQUIRE(!reader->is_short && reader->left == 0, MALFORMED_INSTRUCTION);
  return 0;
}

typedef struct {
  u8 *at;
  u64 left;
  u64 is_full;
} Writer;

#define EVENT_TAG 0x1d9acb512ea545e4ULL /* Anchor's, of an event that is an instruction's data */

static void write_fixed(Writer *writer, const void *data, u64 length) {
  if (writer->left < length) {
    writer->is_full = 1;
    return;
  }
  if (length) sol_memcpy_(writer->at, data, length);
  writer->at += length;
  writer->left -= length;
}

static inline void write_u8(Writer *writer, u8 value) { write_fixed(writer, &value, 1); }
static inline void write_u32(Writer *writer, u32 value) { write_fixed(writer, &value, 4); }
static inline void write_u64(Writer *writer, u64 value) { write_fixed(writer, &value, 8); }
static inline void write_word(Writer *writer, const void *word) { write_fixed(writer, word, 32); }

static void write_bytes(Writer *writer, Bytes bytes) {
  write_u32(writer, (u32)bytes.length);
  write_fixed(writer, bytes.data, bytes.length);
}

INLINE Writer begin_event(Gateway *gateway, u64 discriminator) {
  Writer writer = {gateway->event, MAX_EVENT_LENGTH, 0};
  write_u64(&writer, EVENT_TAG);
  write_u64(&writer, discriminator);
  return writer;
}

/* Tells an event by calling ourselves: its data stands in the transaction, where no log's limit cuts it. */
static u64 emit(Gateway *gateway, const Config *config, const Writer *writer) {
  REQUIRE(!writer->is_full, EVENT_TOO_LONG);
  Account *authority = &gateway->accounts[EVENT_AUTHORITY];
  Meta meta = {authority->key, 0, 1};
  Instruction call = {gateway->program, &meta, 1, gateway->event, (u64)(writer->at - gateway->event)};
  Bytes seeds[2] = {TEXT(EVENT_AUTHORITY_SEED), {&config->event_bump, 1}};
  Signer signer = {seeds, 2};
  return sol_invoke_signed_c(&call, authority, 1, &signer, 1);
}

/* The other end of `emit`. SECURITY: anybody may call the program, and only it can sign as its event authority. */
static u64 take_event(const Gateway *gateway) {
  u8 bump;
  Bytes seeds[1] = {TEXT(EVENT_AUTHORITY_SEED)};
  REQUIRE(gateway->account_count == 1, MISSING_ACCOUNTS);
  TRY(require_signer(&gateway->accounts[0]));
  return require_canonical_address(gateway, &gateway->accounts[0], seeds, 1, &bump);
}
