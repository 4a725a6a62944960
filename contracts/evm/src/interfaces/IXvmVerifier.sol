// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {SignerSet} from "./XvmTypes.sol";

/// @title Verifier of certificates for one gateway
/// @notice One implementation a signature scheme. Holds the signer sets by epoch. A gateway's epochs start at 1 and
/// never restart: they rise by exactly 1 at a verifier, and the next verifier's go on above them.
interface IXvmVerifier {
    /// @notice A signer set became the newest epoch. The set travels along, so that watchers need no other call.
    event XVMEpochApplied(uint64 indexed epoch, bytes32 indexed signerSetHash, uint64 validUntil, SignerSet set);

    /// @notice The certificate's length fits no number of signatures, or not the number in its bitmap.
    error MalformedCertificate();

    /// @notice The certificate is of a scheme that this verifier does not verify.
    error WrongScheme(uint8 scheme);

    /// @notice The certificate was made for a gateway on another chain.
    error OtherChain(bytes4 tag);

    /// @notice The certificate was made for another gateway on this chain.
    error OtherGateway(bytes4 tag);

    /// @notice No batch has a zero root.
    error ZeroRoot();

    /// @notice A batch has at least one leaf.
    error EmptyBatch();

    /// @notice The epoch was never applied here, or not yet.
    error UnknownEpoch(uint64 epoch);

    /// @notice The epoch's set is no longer valid.
    error ExpiredEpoch(uint64 epoch);

    /// @notice The bitmap names a signer beyond the set.
    error UnknownSigner(uint256 index);

    /// @notice The signature of signer `index` is malleable: its s is above half the curve's order.
    error HighS(uint256 index);

    /// @notice The signature at signer `index` is that of a signer who is already counted.
    error RepeatedSigner(uint256 index);

    /// @notice The signature at signer `index` is that of another member of the set.
    error SignerOutOfOrder(uint256 index);

    /// @notice The signature at signer `index` is of nobody in the set over this batch at this gateway.
    error ForgedSignature(uint256 index);

    /// @notice The aggregate signature is not that of exactly the signers in the bitmap over this batch at this gateway. Whose
    /// part is at fault it does not tell.
    error ForgedAggregate();

    /// @notice The signatures are good but weigh too little.
    error BelowThreshold(uint256 weight, uint256 threshold);

    /// @notice A rotation must be certified by the newest epoch, not by one in its grace.
    error NotCurrentEpoch(uint64 epoch);

    /// @notice The owner may install a set only before the first epoch, or once the newest has lapsed.
    error EpochStillValid(uint64 epoch);

    /// @notice A set has at least one signer.
    error EmptySignerSet();

    /// @notice A set has at most 256 signers: a bitmap names no more.
    error TooManySigners(uint256 count);

    /// @notice Signer `index` has a key of the wrong length.
    error MalformedKey(uint256 index);

    /// @notice Signer `index` has the zero key.
    error ZeroKey(uint256 index);

    /// @notice Signer `index` has the key of a signer before it, or one that cancels it out.
    error RepeatedKey(uint256 index);

    /// @notice Signer `index` has no weight.
    error ZeroWeight(uint256 index);

    /// @notice Two disjoint quorums could contradict each other: the threshold is not above half of the total weight.
    error ThresholdTooLow(uint256 threshold, uint256 totalWeight);

    /// @notice The threshold is above the total weight.
    error ThresholdTooHigh(uint256 threshold, uint256 totalWeight);

    /// @notice One operator could reach the threshold alone.
    error OperatorTooHeavy(bytes32 operator);

    /// @notice A set must leave its predecessor's messages some time.
    error ZeroGrace();

    /// @notice The set would already have lapsed.
    error ExpiredSignerSet(uint64 validUntil);

    /// @notice The key of signer `index` does not prove that its operator holds the secret, or is no point of the group.
    error UnprovenKey(uint256 index);

    /// @notice The gateway whose batches this contract verifies.
    function gateway() external view returns (address);

    /// @notice The scheme it verifies.
    function scheme() external view returns (uint8);

    /// @notice EIP-712 domain separator {name "XVM", version "1", salt keccak256(ERC-7930 address of the gateway)}.
    function domainSeparator() external view returns (bytes32);

    /// @notice Verifies that a quorum signed `Batch(root, count, epoch)` in this gateway's domain, or reverts with the reason.
    /// @param root Root of the batch's leaves.
    /// @param count Number of its leaves.
    /// @param certificate Packed as its scheme says.
    /// @return epoch The signing epoch.
    function verify(bytes32 root, uint32 count, bytes calldata certificate) external view returns (uint64 epoch);

    /// @notice Applies the next signer set. Anyone may bring it, with the newest epoch's certificate over
    /// `Rotate(signerSetHash, newest + 1)` as a batch of one.
    function rotate(SignerSet calldata set, bytes calldata certificate) external;

    /// @notice Applies a signer set by the owner's word: the first, or one that revives a gateway whose newest has lapsed. The
    /// first one's epoch is the next after the newest of the verifier that the gateway has at that moment; 1 if there is none.
    function install(SignerSet calldata set) external;

    /// @notice Struct hash of a set.
    function hashSignerSet(SignerSet calldata set) external pure returns (bytes32);

    /// @notice The newest applied epoch; 0 before the first.
    function currentEpoch() external view returns (uint64);

    /// @notice An epoch's set and the last second at which it verifies, which its successor may have brought forward.
    function signerSet(uint64 epoch) external view returns (SignerSet memory set, uint64 validUntil);
}
