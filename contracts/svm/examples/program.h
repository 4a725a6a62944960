/* What the example programs share: one call's accounts and data, and the checks of them, are the gateway's own code.
 *
 * Instructions have Anchor's discriminators: the first 8 bytes of sha256("global:<name>").
 */
#pragma once
#include "errors.h"

/* no example uses all of it */
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wunused-function"
#include "../src/borsh.h"
#pragma clang diagnostic pop

typedef Gateway Program; /* one call of a program: nothing in it is the gateway's alone */

/* Begins an instruction that has so many accounts of its own. */
static u64 with_accounts(const Program *program, u64 count) {
  REQUIRE(program->account_count >= count, MISSING_ACCOUNTS);
  return require_distinct(program, count);
}

#define CASE(discriminator, count, function) \
  case discriminator: \
    TRY(with_accounts(program, count)); \
    return function(program, &reader)

/* Parses the input and takes the discriminator off the data. */
static u64 begin(u8 *input, Program *program, Reader *reader, u64 *discriminator) {
  TRY(parse_input(input, program));
  *reader = reader_of(program->data);
  *discriminator = read_u64(reader);
  return 0;
}
