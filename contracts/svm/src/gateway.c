/* The gateway of XVM on Solana: which instruction is which. One translation unit, so that the compiler sees all of it and the
 * linker has nothing to find but system calls.
 */
#include "destination.h"
#include "stage.h"

/* An instruction's tag is its data's first byte: a certificate of 13 signatures leaves no room for eight. */
enum {
  INITIALIZE = 1,
  SET_OUTBOUND = 2,
  SET_INBOUND = 3,
  SET_OFFICES = 4,
  TRANSFER_OWNERSHIP = 5,
  ACCEPT_OWNERSHIP = 6,
  PAUSE = 7,
  UNPAUSE = 8,
  INSTALL = 9,
  ROTATE = 10,
  VERIFY_CERTIFICATE = 11,
  CLOSE_ROOT = 12,
  REQUEST = 13,
  ADD_FEE = 14,
  CANCEL = 15,
  DELIVER = 16,
  CALLBACK = 17,
  RECLAIM = 18,
  OPEN_CREDIT = 19,
  WITHDRAW = 20,
  COLLECT = 21,
  EXECUTE = 22,
  EXPIRE = 23,
  SHOW_LAPSED = 24,
  STAGE = 25,
  APPEND = 26,
  CLOSE_STAGE = 27,
  USE_STAGE = 28, /* what is staged is the instruction */
  RETRY = 29,
  SET_SENDER_LIMIT = 30,
};

/* Begins an instruction that has so many accounts of its own. */
static u64 with_accounts(const Gateway *gateway, u64 count) {
  REQUIRE(gateway->account_count >= count, MISSING_ACCOUNTS);
  return require_distinct(gateway, count);
}

#define CASE(tag, count, function) \
  case tag: \
    TRY(with_accounts(gateway, count)); \
    return function(gateway)

/* Takes the tag off the data. */
static u64 take_tag(Gateway *gateway, u8 *tag) {
  REQUIRE(gateway->data.length != 0, MALFORMED_INSTRUCTION);
  *tag = gateway->data.data[0];
  gateway->data = (Bytes){gateway->data.data + 1, gateway->data.length - 1};
  return 0;
}

static u64 dispatch(Gateway *gateway) {
  u8 tag = 0;
  TRY(take_tag(gateway, &tag));
  if (tag == USE_STAGE) {
    TRY(use_stage(gateway));
    TRY(take_tag(gateway, &tag));
  }
  switch (tag) {
    CASE(INITIALIZE, INITIALIZE_COUNT, initialize);
    CASE(SET_OUTBOUND, ROUTE_COUNT, set_outbound);
    CASE(SET_INBOUND, ROUTE_COUNT, set_inbound);
    CASE(SET_OFFICES, OFFICE_COUNT, set_offices);
    CASE(SET_SENDER_LIMIT, OFFICE_COUNT, set_sender_limit);
    CASE(TRANSFER_OWNERSHIP, OFFICE_COUNT, transfer_ownership);
    CASE(ACCEPT_OWNERSHIP, OFFICE_COUNT, accept_ownership);
    CASE(PAUSE, OFFICE_COUNT, pause);
    CASE(UNPAUSE, OFFICE_COUNT, unpause);
    CASE(INSTALL, INSTALL_COUNT, install);
    CASE(ROTATE, ROTATE_COUNT, rotate);
    CASE(VERIFY_CERTIFICATE, CERTIFY_COUNT, verify_certificate);
    CASE(CLOSE_ROOT, CLOSE_ROOT_COUNT, close_root);
    CASE(REQUEST, REQUEST_COUNT, request);
    CASE(RETRY, RETRY_COUNT, retry);
    CASE(ADD_FEE, FEE_COUNT, add_fee);
    CASE(CANCEL, CANCEL_COUNT, cancel);
    CASE(DELIVER, DELIVER_COUNT, deliver);
    CASE(CALLBACK, CALLBACK_COUNT, callback);
    CASE(RECLAIM, CANCEL_COUNT, reclaim);
    CASE(OPEN_CREDIT, OPEN_CREDIT_COUNT, open_credit);
    CASE(WITHDRAW, WITHDRAW_COUNT, withdraw);
    CASE(COLLECT, COLLECT_COUNT, collect);
    CASE(EXECUTE, EXECUTE_COUNT, execute);
    CASE(EXPIRE, EXPIRE_COUNT, expire);
    CASE(SHOW_LAPSED, LAPSED_COUNT, show_lapsed);
    CASE(STAGE, STAGE_COUNT, stage);
    CASE(APPEND, STAGE_COUNT, append);
    CASE(CLOSE_STAGE, STAGE_COUNT, close_stage);
    default:
      return MALFORMED_INSTRUCTION;
  }
}

u64 entrypoint(u8 *input) {
  Gateway *gateway = GATEWAY;
  TRY(parse_input(input, gateway));
  if (gateway->data.length >= 8 && *(const u64 *)gateway->data.data == EVENT_TAG) return take_event(gateway);
  sol_get_clock_sysvar(&gateway->clock);
  return dispatch(gateway);
}
