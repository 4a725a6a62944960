/* What the gateway's accounts hold. No padding is implicit and numbers are little-endian, so that a layout is also its Borsh form.
 *
 * A discriminator is the first 8 bytes of sha256("account:<Name>"), an event's those of sha256("event:<Name>"), as Anchor has
 * them.
 */
#pragma once
#include "runtime.h"

#define CONFIG_DISCRIMINATOR 0x82ccfa1ee0aa0c9bULL
#define EPOCH_DISCRIMINATOR 0x6c988a975978535dULL
#define ROOT_DISCRIMINATOR 0x090554f525839f2eULL
#define OUTBOUND_DISCRIMINATOR 0x81469cf26b0bf225ULL
#define INBOUND_DISCRIMINATOR 0xcd5fcd12f1817c6fULL
#define SENDER_DISCRIMINATOR 0xe747635aff4a49c7ULL
#define PENDING_DISCRIMINATOR 0x7eadaf48aa93b424ULL
#define CREDIT_DISCRIMINATOR 0x95beac9c88a14f06ULL
#define ORDERED_DISCRIMINATOR 0x682208471caa2be4ULL
#define SLOT_DISCRIMINATOR 0xe6fabd35bb03368cULL
#define STAGE_DISCRIMINATOR 0xb3459fd19df05f80ULL

/* First segment of each address' seeds. SECURITY: none is the beginning of another, so no two sets of seeds run together. */
#define CONFIG_SEED "config"
#define EPOCH_SEED "epoch"
#define ROOT_SEED "root"
#define OUTBOUND_SEED "outbound"
#define INBOUND_SEED "inbound"
#define SENDER_SEED "sender"
#define PENDING_SEED "pending"
#define CREDIT_SEED "credit"
#define ORDERED_SEED "ordered"
#define SLOT_SEED "slot"
#define ACCOUNT_SEED "account"
#define CALLBACK_SEED "callback"
#define EVENT_AUTHORITY_SEED "__event_authority"
#define CLIENT_SEED "xvm" /* of addresses that are the asking program's own */

enum { MAX_SIGNERS = 128, MAX_BATCH = 256, MAX_GATEWAY_LENGTH = 80, MAX_PATH = 8 };
enum { REQUESTS = 0, EXECUTIONS = 1, CALLBACKS = 2, DIRECTION_COUNT = 3 };
enum { CALL = 0, QUERY = 1 };
enum { EXECUTED = 0, REVERTED = 1, UNREACHED = 2, EXPIRED = 3, DUPLICATE = 4, KIND_COUNT = 5 };
enum { STATE_PENDING = 1, STATE_DELIVERED = 2, STATE_CANCELLED = 3, STATE_CONCLUDED = 4 };

/* Seeds: "config". One a program. */
typedef struct {
  u64 discriminator;
  u8 genesis_hash[32];
  u8 owner[32];
  u8 pending_owner[32]; /* zero: none */
  u8 guardian[32];      /* zero: nobody */
  u8 treasury[32];
  u8 domain_separator[32];
  u8 self_hash[32];    /* keccak256 of the gateway's ERC-7930 address */
  u8 tags[8];          /* chain tag, gateway tag */
  u64 epoch;           /* the newest; 0: none yet */
  u64 max_pause_slots; /* longest pause, and the guardian's rest after one */
  u64 paused_until[3]; /* first slot that is open again, by direction */
  u64 guardian_from[3];
  u64 callback_paused_slots; /* planned so far; what is left of a running pause does not count yet */
  u64 treasury_lamports;     /* owed to the treasury and held here */
  u32 limit_slots;           /* how often a sender may ask in so many slots; a zero in either: no limit */
  u32 limit_requests;
  u8 bump;
  u8 event_bump;
  u8 reserved[6];
} Config;

typedef struct {
  u64 weight;
  u8 operator_id[32];
  u8 key[20];
  u8 reserved[4];
} SignerRecord;

/* Seeds: "epoch", number (u64). Never closed: what a lapsed epoch was stays readable. */
typedef struct {
  u64 discriminator;
  u64 epoch;
  u64 valid_until; /* last second at which it verifies; cut by its successor */
  u64 grace_seconds;
  u64 threshold;
  u64 signers_lamports; /* what its signers have earned, held here */
  u8 set_hash[32];
  u8 domain_separator[32];
  u8 tags[8];
  u32 count;
  u8 bump;
  u8 reserved[3];
  SignerRecord signers[];
} Epoch;

/* Seeds: "root", root, epoch (u64), count (u32). A batch whose certificate is being, or has been, verified. */
typedef struct {
  u64 discriminator;
  u8 root[32];
  u64 epoch;
  u64 weight;
  u8 seen[MAX_SIGNERS / 8]; /* bit i % 8 of byte i / 8: signer i has been counted */
  u64 since;                /* second at which it was made; once complete, that of its completion */
  u8 payer[32];
  u32 count;
  u8 is_complete;
  u8 bump;
  u8 reserved[2];
} Root;

/* What a destination asks and takes; set by the owner. */
typedef struct {
  u64 address_lengths; /* bit n: targets of n bytes */
  u64 max_execution_gas;
  u64 max_callback_gas;
  u64 min_expiry_seconds;
  u64 default_expiry_seconds;
  u64 max_expiry_seconds;
  u64 deadline_slots; /* default and least */
  u64 max_deadline_slots;
  u64 execution_price; /* lamports for 1,000,000 gas there */
  u64 execution_overhead_gas;
  u64 execution_gas_per_byte;
  u64 callback_price; /* lamports for 1,000,000 compute units here */
  u64 delivery_lamports;
  u64 signers_lamports;
  u32 max_payload_bytes;
  u32 max_return_bytes;
  u16 expire_bps;
  u8 is_open;
  u8 takes_queries;
  u8 reserved[4];
} Terms;

/* Seeds: "outbound", keccak256 of the destination chain's ERC-7930 address. */
typedef struct {
  u64 discriminator;
  u8 chain_hash[32];
  Terms terms;
  u8 gateway_length; /* 0: no CALL */
  u8 bump;
  u8 reserved[6];
  u8 gateway[MAX_GATEWAY_LENGTH];
} Outbound;

/* Seeds: "inbound", keccak256 of the source gateway's ERC-7930 address. */
typedef struct {
  u64 discriminator;
  u8 gateway_hash[32];
  u8 is_open;
  u8 bump;
  u8 reserved[6];
} Inbound;

/* Seeds: "sender", sender. Never closed: nonces must not come again. */
typedef struct {
  u64 discriminator;
  u8 sender[32];
  u64 next_nonce;
  u64 window; /* of slots, in which it asked last */
  u64 window_count;
  u8 bump;
  u8 reserved[7];
} Sender;

/* Seeds: "pending", sender, salt (u64). A request from here, until its callback has run. */
typedef struct {
  u64 discriminator;
  u8 request_id[32];
  u8 sender[32];
  u8 payer[32];            /* paid fee and rent; what is not earned goes back there */
  u8 callback_program[32]; /* zero: none, the event alone */
  u8 return_data_hash[32];
  u64 salt;
  u64 execution_lamports;
  u64 delivery_lamports;
  u64 callback_lamports;
  u64 signers_lamports;
  u64 deadline_slot; /* on the callbacks' clock, which stands still while they are paused */
  u64 expiry;
  u64 callback_gas_limit;
  u64 since; /* second of the delivery or the cancel */
  u16 expire_bps;
  u8 mode;
  u8 state;
  u8 kind;
  u8 bump;
  u8 reserved[2];
} Pending;

/* Seeds: "ordered", sender, route hash. The last ordered request of a sender on a route. Never closed. */
typedef struct {
  u64 discriminator;
  u8 request_id[32];
  u64 expiry;
  u8 bump;
  u8 reserved[7];
} Ordered;

/* Seeds: "credit", beneficiary. What it holds above its rent is the beneficiary's. */
typedef struct {
  u64 discriminator;
  u8 beneficiary[32];
  u8 bump;
  u8 reserved[7];
} Credit;

/* Seeds: "slot", request id. Never closed: it is what keeps a request from running twice. */
typedef struct {
  u64 discriminator;
  u8 request_id[32];
  u8 word[32]; /* kind, low 248 bits of the attempt's id; zero: shown to have lapsed, not consumed */
  u8 bump;
  u8 reserved[7];
} Slot;

/* Made by its authority with the system program, owned by the gateway; its content follows. */
typedef struct {
  u64 discriminator;
  u8 authority[32];
  u64 length; /* of the content so far */
  u8 content[];
} Stage;
