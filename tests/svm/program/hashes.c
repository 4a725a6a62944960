/* Shows a test what the gateway's hashes are: the first byte of the data says which, the answer is the return data. */
#pragma clang diagnostic ignored "-Wunused-function" /* most of what is included serves the gateway */

#include "../../../contracts/svm/src/borsh.h"
#include "../../../contracts/svm/src/hash.h"

enum { REQUEST_ID = 1, EXECUTE_LEAF = 2, OUTCOME_LEAF = 3, ROTATE_LEAF = 4, DOMAIN = 5, DIGEST = 6, PATH = 7 };

extern u64 sol_set_return_data(const u8 *data, u64 length);

static void read_place(Reader *reader, Place *place) {
  place->height = read_u64(reader);
  place->block_hash = read_word(reader);
  place->tx_index = read_u32(reader);
  place->log_index = read_u32(reader);
}

static void show_request(Reader *reader, u8 *hash) {
  Request request = {0};
  request.source_gateway = read_bytes(reader);
  request.sender = read_bytes(reader);
  request.destination_gateway = read_bytes(reader);
  request.target = read_bytes(reader);
  request.nonce = read_u64(reader);
  request.mode = read_u8(reader);
  request.own_account = read_bool(reader);
  request.payload = read_bytes(reader);
  request.execution_gas_limit = read_u64(reader);
  request.callback_gas_limit = read_u64(reader);
  request.return_limit = read_u32(reader);
  request.expiry = read_u64(reader);
  request.ordered_after = read_word(reader);
  request.origin = read_word(reader);
  request.code_hash = read_word(reader);
  request.dispute_blocks = read_u32(reader);
  request.metadata = read_bytes(reader);
  hash_request(&request, hash);
}

static void show_outcome(Reader *reader, u8 *hash) {
  Outcome outcome;
  outcome.request_id = read_word(reader);
  outcome.kind = read_u8(reader);
  outcome.cut = read_bool(reader);
  outcome.return_data_hash = read_word(reader);
  read_place(reader, &outcome.place);
  outcome.payee = read_word(reader);
  outcome.round = read_u32(reader);
  hash_outcome(&outcome, hash);
}

u64 entrypoint(u8 *input) {
  Gateway *gateway = GATEWAY;
  TRY(parse_input(input, gateway));
  Reader reader = reader_of(gateway->data);
  u8 hash[32] = {0};
  u8 what = read_u8(&reader);
  if (what == REQUEST_ID) {
    show_request(&reader, hash);
  } else if (what == EXECUTE_LEAF) {
    const u8 *id = read_word(&reader);
    Place place;
    read_place(&reader, &place);
    hash_execute(id, &place, hash);
  } else if (what == OUTCOME_LEAF) {
    show_outcome(&reader, hash);
  } else if (what == ROTATE_LEAF) {
    const u8 *set_hash = read_word(&reader);
    hash_rotate(set_hash, read_u64(&reader), hash);
  } else if (what == DOMAIN) {
    hash_domain(read_word(&reader), hash);
  } else if (what == DIGEST) {
    const u8 *separator = read_word(&reader), *root = read_word(&reader);
    u64 count = read_u32(&reader);
    hash_batch(separator, root, count, read_u64(&reader), hash);
  } else if (what == PATH) {
    const u8 *leaf = read_word(&reader), *root = read_word(&reader);
    hash[0] = (u8)is_in_tree(leaf, (Bytes){reader.at, reader.left}, root);
    reader.left = 0;
  }
  TRY(require_end(&reader));
  return sol_set_return_data(hash, 32);
}
