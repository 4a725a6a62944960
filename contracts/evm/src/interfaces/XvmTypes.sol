// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

// The values that cross the contracts' borders. Words and meanings are the protocol's; accounts are ERC-7930
// (version 1) byte strings unless a field says otherwise.

/// @notice What a target call may do. `CALL` changes state through the destination gateway, at most once; `QUERY` reads
/// at one agreed final block and needs neither a transaction nor a gateway there.
library Mode {
    uint8 internal constant CALL = 0;
    uint8 internal constant QUERY = 1;
}

/// @notice What became of a request, as its callback is told.
library Kind {
    /// @notice The target ran and returned.
    uint8 internal constant EXECUTED = 0;
    /// @notice The target failed or ran out of its execution gas.
    uint8 internal constant REVERTED = 1;
    /// @notice The target was not called: no code, another code hash, or a forbidden target.
    uint8 internal constant UNREACHED = 2;
    /// @notice The destination's own clock passed the request's expiry first.
    uint8 internal constant EXPIRED = 3;
    /// @notice A retry whose earlier attempt was consumed; the return data is that attempt's slot word.
    uint8 internal constant DUPLICATE = 4;
}

/// @notice What the source gateway knows of a request.
library State {
    /// @notice Never asked here, or over and done.
    uint8 internal constant NONE = 0;
    /// @notice Waiting for its certified outcome.
    uint8 internal constant PENDING = 1;
    /// @notice Delivered and paid, but its handler failed: anyone may replay the callback.
    uint8 internal constant HANDLER_FAILED = 2;
    /// @notice Cancelled by its requester; the execution share is still owed to someone.
    uint8 internal constant CANCELLED = 3;
    /// @notice Certified, waiting out its dispute window. Reserved: this version never enters it.
    uint8 internal constant CHALLENGEABLE = 4;
}

/// @notice What a pause stops at a gateway.
enum Direction {
    REQUESTS,
    EXECUTIONS,
    CALLBACKS
}

/// @notice A call that an account on the source chain asks for on a destination chain. The EIP-712 struct
/// `Request(bytes sourceGateway,bytes sender,bytes destinationGateway,bytes target,uint64 nonce,uint8 mode,bool ownAccount,
/// bytes payload,uint64 executionGasLimit,uint64 callbackGasLimit,uint32 returnLimit,uint64 expiry,uint256 orderedAfter,
/// uint256 origin,bytes32 codeHash,uint32 disputeBlocks,bytes metadata)`; its struct hash is the request id.
struct Request {
    /// Gateway that emitted it.
    bytes sourceGateway;
    /// Account that asked.
    bytes sender;
    /// Gateway that executes it, from the source gateway's route table; empty for a `QUERY`.
    bytes destinationGateway;
    /// Account to be called.
    bytes target;
    /// Per sender, from 0, without gaps; assigned by the source gateway.
    uint64 nonce;
    /// `Mode`.
    uint8 mode;
    /// The target is called by the sender's own account on the destination, not by the common executor.
    bool ownAccount;
    /// The call in the target VM's own encoding; EVM: selector ‖ abi-encoded params.
    bytes payload;
    /// Gas that the target gets, in the destination's unit.
    uint64 executionGasLimit;
    /// Gas that the callback gets, in the source's unit.
    uint64 callbackGasLimit;
    /// Return data is cut to so many bytes before it is hashed.
    uint32 returnLimit;
    /// Last second, on the destination gateway's clock, at which it may run; 0 for a `QUERY`.
    uint64 expiry;
    /// 0 unordered; 1 the first ordered one of this sender on the route; else the previous ordered id.
    uint256 orderedAfter;
    /// 0, or the id of the first attempt of which this is a retry.
    uint256 origin;
    /// 0, or the target's code hash that must match at execution.
    bytes32 codeHash;
    /// 0, or for how many source blocks a certified outcome waits before its callback.
    uint32 disputeBlocks;
    /// Free, for integrators.
    bytes metadata;
}

/// @notice A `Request` whose payload is named by its hash. Hashes to the same id.
struct RequestByHash {
    bytes sourceGateway;
    bytes sender;
    bytes destinationGateway;
    bytes target;
    uint64 nonce;
    uint8 mode;
    bool ownAccount;
    /// keccak256 of the payload.
    bytes32 payloadHash;
    uint64 executionGasLimit;
    uint64 callbackGasLimit;
    uint32 returnLimit;
    uint64 expiry;
    uint256 orderedAfter;
    uint256 origin;
    bytes32 codeHash;
    uint32 disputeBlocks;
    bytes metadata;
}

/// @notice What the asker chooses. 0 or empty takes the route's default where one exists.
struct Options {
    /// `Mode`.
    uint8 mode;
    /// Call the target from the sender's own account. The first such request creates it there: the quote does not count that.
    bool ownAccount;
    /// 0: 500,000.
    uint64 executionGasLimit;
    /// 0: 300,000.
    uint64 callbackGasLimit;
    /// 0: 1,024 bytes.
    uint32 returnLimit;
    /// Unix seconds; 0: the route's default after now. Must be 0 for a `QUERY`.
    uint64 expiry;
    /// Execute after this sender's previous ordered request on the route. A default expiry is then never before that one's.
    bool ordered;
    /// 0, or the target's code hash that must match at execution.
    bytes32 codeHash;
    /// Reserved for dispute windows: must be 0 in this version.
    uint32 disputeBlocks;
    /// Source blocks until the asker may cancel; 0: the route's.
    uint64 deadlineBlocks;
    /// At most 256 bytes.
    bytes metadata;
}

/// @notice One certified request, to be executed. The location is where its event stands on the source chain.
struct ExecuteItem {
    Request request;
    uint64 height;
    bytes32 blockHash;
    uint32 txIndex;
    uint32 logIndex;
}

/// @notice A certified batch of `Execute` statements. Bit i of `given` says that leaf i is the next of `items`, else it is
/// the next of `bare`; the batch has `items.length + bare.length` leaves.
struct ExecuteBatch {
    uint256 given;
    bytes32[] bare;
    ExecuteItem[] items;
    bytes certificate;
}

/// @notice As `ExecuteItem`, the payload by hash.
struct ExpireItem {
    RequestByHash request;
    uint64 height;
    bytes32 blockHash;
    uint32 txIndex;
    uint32 logIndex;
}

/// @notice As `ExecuteBatch`, for requests past their expiry.
struct ExpireBatch {
    uint256 given;
    bytes32[] bare;
    ExpireItem[] items;
    bytes certificate;
}

/// @notice One certified outcome. The location is where its receipt stands on the destination chain.
struct OutcomeItem {
    uint256 requestId;
    /// `Kind`.
    uint8 kind;
    /// The return data was longer than the request's limit.
    bool cut;
    uint64 height;
    bytes32 blockHash;
    uint32 txIndex;
    uint32 logIndex;
    /// Whom the execution share goes to; an EVM address in the low 20 bytes.
    bytes32 payee;
    /// 0 except on chains without historical reads.
    uint32 round;
    bytes returnData;
}

/// @notice A certified batch of `Outcome` statements; `given` as in `ExecuteBatch`.
struct DeliverBatch {
    uint256 given;
    bytes32[] bare;
    OutcomeItem[] outcomes;
    bytes certificate;
}

/// @notice What a source gateway stores about a request.
struct PendingRequest {
    /// Account that asked.
    address requester;
    /// It asked in its own transaction: its outcome is an event and no call.
    bool isEoa;
    uint64 callbackGasLimit;
    /// Source height after which the requester may cancel, if callbacks are not paused until then.
    uint64 deadline;
    /// `State`.
    uint8 state;
    /// Escrowed wei; 0 unless the state is pending or cancelled.
    uint256 fee;
}

/// @notice One member of a signer set.
struct Signer {
    /// Scheme 1: the 20-byte address of its secp256k1 key.
    bytes key;
    uint64 weight;
    /// Who runs it; no operator may reach the threshold alone.
    bytes32 operator;
}

/// @notice The EIP-712 struct `SignerSet(uint8 scheme,uint64 threshold,uint64 validUntil,uint64 graceSeconds,Signer[] signers)
/// Signer(bytes key,uint64 weight,bytes32 operator)`; its struct hash is the signer set hash.
struct SignerSet {
    /// 1: ecdsa-secp256k1.
    uint8 scheme;
    /// Weight that makes a quorum.
    uint64 threshold;
    /// Last unix second at which the set verifies.
    uint64 validUntil;
    /// How long the set still verifies after its successor is applied.
    uint64 graceSeconds;
    Signer[] signers;
}
