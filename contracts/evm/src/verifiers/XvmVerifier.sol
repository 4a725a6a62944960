// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {IXvmGateway} from "../interfaces/IXvmGateway.sol";
import {IXvmVerifier} from "../interfaces/IXvmVerifier.sol";
import {Signer, SignerSet} from "../interfaces/XvmTypes.sol";
import {CodeBlob} from "../libraries/CodeBlob.sol";
import {SignerSetHash} from "../libraries/SignerSetHash.sol";
import {StatementHash} from "../libraries/StatementHash.sol";

/// @title What verifiers of all schemes share: epochs, the rules of signer sets, the head of certificates
/// @notice A certificate is scheme(1) ‖ epoch(8) ‖ chain tag(4) ‖ gateway tag(4) ‖ bitmap(32) ‖ the scheme's payload. What a key
/// and a payload are is the scheme's.
abstract contract XvmVerifier is Ownable2Step, IXvmVerifier {
    /// @dev One word an epoch.
    struct Epoch {
        /// A `CodeBlob`: header word, a word (short key ‖ weight) a signer, a word (operator) a signer, then what the scheme
        /// adds. The header is grace(64) ‖ the set's own validUntil(64) ‖ the weight that may be missing(64) ‖ threshold(64).
        address blob;
        /// Last second at which the set verifies.
        uint64 validUntil;
        uint32 count;
    }

    uint256 internal constant HEADER_LENGTH = 49;
    uint256 private constant MAX_SIGNERS = 256;

    bytes32 private constant DOMAIN_TYPEHASH = keccak256("EIP712Domain(string name,string version,bytes32 salt)");
    bytes32 private constant BATCH_TYPEHASH = keccak256("Batch(bytes32 root,uint32 count,uint64 epoch)");

    /// @inheritdoc IXvmVerifier
    address public immutable gateway;

    uint256 private immutable CHAIN_ID;
    bytes32 private immutable DOMAIN_SEPARATOR;
    /// @dev First 64 bits: chain tag ‖ gateway tag.
    uint256 private immutable TAGS;

    /// @inheritdoc IXvmVerifier
    uint64 public currentEpoch;

    mapping(uint64 epoch => Epoch) private _epochs;

    /// @param gateway_ The gateway whose batches are verified: its address is in the signed domain.
    /// @param owner_ Installs the first set, and revives a gateway whose newest has lapsed; a timelock where it matters.
    constructor(address gateway_, address owner_) Ownable(owner_) {
        gateway = gateway_;
        CHAIN_ID = block.chainid;
        (DOMAIN_SEPARATOR, TAGS) = _domain();
    }

    /// @inheritdoc IXvmVerifier
    function rotate(SignerSet calldata set, bytes calldata certificate) external {
        uint64 epoch = currentEpoch;
        bytes32 setHash = SignerSetHash.hash(set);
        uint64 signedBy = verify(StatementHash.rotateLeaf(setHash, epoch + 1), 1, certificate);
        // SECURITY: an epoch in its grace has a successor; a second one would be a fork of the set
        if (signedBy != epoch) revert NotCurrentEpoch(signedBy);
        Epoch storage former = _epochs[epoch];
        uint256 cut = block.timestamp + uint64(uint256(CodeBlob.word(former.blob)) >> 192);
        // SECURITY: who was rotated out for a leaked key must not verify for long
        if (cut < former.validUntil) former.validUntil = uint64(cut);
        _apply(set, setHash, epoch + 1);
    }

    /// @inheritdoc IXvmVerifier
    function install(SignerSet calldata set) external onlyOwner {
        uint64 epoch = currentEpoch;
        // SECURITY: while signers answer for the gateway, its owner does not
        if (epoch != 0 && block.timestamp <= _epochs[epoch].validUntil) revert EpochStillValid(epoch);
        _apply(set, SignerSetHash.hash(set), (epoch == 0 ? _formerEpoch() : epoch) + 1);
    }

    /// @inheritdoc IXvmVerifier
    function domainSeparator() external view returns (bytes32 separator) {
        (separator,) = _cachedDomain();
    }

    /// @inheritdoc IXvmVerifier
    function hashSignerSet(SignerSet calldata set) external pure returns (bytes32) {
        return SignerSetHash.hash(set);
    }

    /// @inheritdoc IXvmVerifier
    function signerSet(uint64 epoch) external view returns (SignerSet memory set, uint64 validUntil) {
        Epoch memory record = _epochs[epoch];
        if (record.blob == address(0)) revert UnknownEpoch(epoch);
        bytes memory blob = CodeBlob.read(record.blob);
        uint256 header = _wordAt(blob, 0);
        uint256 count = record.count;
        set.scheme = scheme();
        set.threshold = uint64(header);
        set.validUntil = uint64(header >> 128);
        set.graceSeconds = uint64(header >> 192);
        set.signers = new Signer[](count);
        for (uint256 i = 0; i < count; ++i) {
            bytes32 operator = bytes32(_wordAt(blob, 1 + count + i));
            set.signers[i] = Signer({
                key: _listedKey(blob, count, i, operator), weight: uint64(_wordAt(blob, 1 + i)), operator: operator
            });
        }
        validUntil = record.validUntil;
    }

    /// @inheritdoc IXvmVerifier
    function scheme() public pure virtual returns (uint8);

    /// @inheritdoc IXvmVerifier
    function verify(bytes32 root, uint32 count, bytes calldata certificate) public view returns (uint64 epoch) {
        uint256 head;
        uint256 bitmap;
        assembly ("memory-safe") {
            head := calldataload(certificate.offset)
            bitmap := calldataload(add(certificate.offset, 17))
        }
        if (certificate.length < HEADER_LENGTH || certificate.length != HEADER_LENGTH + _payloadLength(bitmap)) {
            revert MalformedCertificate();
        }
        if (head >> 248 != scheme()) revert WrongScheme(uint8(head >> 248));
        epoch = uint64(head >> 184);
        (bytes32 separator, uint256 tags) = _cachedDomain();
        uint256 givenTags = uint64(head >> 120);
        if (givenTags != tags) {
            if (givenTags >> 32 != tags >> 32) revert OtherChain(bytes4(uint32(givenTags >> 32)));
            revert OtherGateway(bytes4(uint32(givenTags)));
        }
        // SECURITY: a zero root or an empty batch is what uninitialised memory looks like
        if (root == 0) revert ZeroRoot();
        if (count == 0) revert EmptyBatch();
        Epoch memory record = _epochs[epoch];
        if (record.blob == address(0)) revert UnknownEpoch(epoch);
        // SECURITY: after this, stake may be gone and keys thrown away
        if (block.timestamp > record.validUntil) revert ExpiredEpoch(epoch);
        // SECURITY: a bit beyond the set would be compared with whatever memory holds there
        if (bitmap >> record.count != 0) revert UnknownSigner(_lowestBit(bitmap >> record.count << record.count));
        (uint256 weight, uint256 threshold) =
            _verifyPayload(_digest(separator, root, count, epoch), record.blob, record.count, bitmap, certificate);
        // SECURITY: fewer signers than the set's own rule
        if (weight < threshold) revert BelowThreshold(weight, threshold);
    }

    /// @dev Bytes of the payload of a certificate with this bitmap.
    function _payloadLength(uint256 bitmap) internal pure virtual returns (uint256);

    /// @dev Reverts unless the payload shows that exactly the signers in `bitmap`, of the set of `count` in `blob`, signed.
    /// @return weight What they weigh together.
    /// @return threshold What the set asks for.
    function _verifyPayload(bytes32 digest, address blob, uint256 count, uint256 bitmap, bytes calldata certificate)
        internal
        view
        virtual
        returns (uint256 weight, uint256 threshold);

    /// @dev 160 bits that stand for the key of signer `i`: no two signers of a set may share them. Reverts with `MalformedKey`
    /// or `ZeroKey`.
    function _shortKey(uint256 i, bytes calldata key) internal pure virtual returns (bytes20);

    /// @dev What the scheme adds to the blob of a set that keeps the rules. Reverts with what else the scheme asks of keys.
    function _layKeys(SignerSet calldata set) internal virtual returns (bytes memory added);

    /// @dev The key of signer `i` as its set lists it.
    function _listedKey(bytes memory blob, uint256 count, uint256 i, bytes32 operator)
        internal
        view
        virtual
        returns (bytes memory);

    /// @dev The newest epoch of the gateway's present verifier; 0 if it has none, or that is this one. SECURITY: verifiers of one
    /// gateway share a domain: if epochs began again, anybody could bring the former one's rotations here and restore a leaked key.
    function _formerEpoch() private view returns (uint64) {
        address former = IXvmGateway(gateway).verifier();
        return former == address(0) ? 0 : IXvmVerifier(former).currentEpoch();
    }

    function _lowestBit(uint256 word) private pure returns (uint256 index) {
        while ((word >> index) & 1 == 0) ++index;
    }

    function _apply(SignerSet calldata set, bytes32 setHash, uint64 epoch) private {
        bytes memory blob = _checkedBlob(set);
        blob = bytes.concat(blob, _layKeys(set));
        _epochs[epoch] =
            Epoch({blob: CodeBlob.write(blob), validUntil: set.validUntil, count: uint32(set.signers.length)});
        currentEpoch = epoch;
        emit XVMEpochApplied(epoch, setHash, set.validUntil, set);
    }

    /// @dev Lays a set out for its blob, checking every rule on the way.
    function _checkedBlob(SignerSet calldata set) private view returns (bytes memory blob) {
        uint256 count = set.signers.length;
        if (set.scheme != scheme()) revert WrongScheme(set.scheme);
        if (count == 0) revert EmptySignerSet();
        if (count > MAX_SIGNERS) revert TooManySigners(count);
        blob = new bytes(32 + 64 * count);
        uint256 total;
        for (uint256 i = 0; i < count; ++i) {
            Signer calldata signer = set.signers[i];
            uint256 key = uint160(_shortKey(i, signer.key));
            // SECURITY: a key that stands twice would count twice
            if (_isAmong(blob, i, key)) revert RepeatedKey(i);
            if (signer.weight == 0) revert ZeroWeight(i);
            total += signer.weight;
            _setWord(blob, 1 + i, (key << 96) | signer.weight);
            _setWord(blob, 1 + count + i, uint256(signer.operator));
        }
        // SECURITY: or two disjoint quorums could certify a contradiction
        if (2 * uint256(set.threshold) <= total) revert ThresholdTooLow(set.threshold, total);
        if (set.threshold > total) revert ThresholdTooHigh(set.threshold, total);
        _checkOperators(blob, count, set.threshold);
        if (set.graceSeconds == 0) revert ZeroGrace();
        if (set.validUntil <= block.timestamp) revert ExpiredSignerSet(set.validUntil);
        // the threshold is above half: what may be missing is below it, and has 64 bits
        uint256 spare = total - set.threshold;
        _setWord(
            blob,
            0,
            (uint256(set.graceSeconds) << 192) | (uint256(set.validUntil) << 128) | (spare << 64) | set.threshold
        );
    }

    /// @dev Whether one of the first `count` signers has this key. In assembly for the largest sets: this is done for each signer.
    function _isAmong(bytes memory blob, uint256 count, uint256 key) private pure returns (bool found) {
        assembly ("memory-safe") {
            let place := add(blob, 64)
            for { let end := add(place, shl(5, count)) } lt(place, end) { place := add(place, 32) } {
                if eq(shr(96, mload(place)), key) {
                    found := 1
                    break
                }
            }
        }
    }

    /// @dev SECURITY: a quorum means several people. An operator's weight is added up from where it first stands; from where it
    /// stands again it comes out lower, which harms nothing.
    function _checkOperators(bytes memory blob, uint256 count, uint256 threshold) private pure {
        for (uint256 i = 0; i < count; ++i) {
            uint256 operator = _wordAt(blob, 1 + count + i);
            uint256 weight = 0;
            assembly ("memory-safe") {
                let size := shl(5, count)
                let place := add(add(blob, 64), shl(5, i))
                for { let end := add(add(blob, 64), size) } lt(place, end) { place := add(place, 32) } {
                    if eq(mload(add(place, size)), operator) {
                        weight := add(weight, and(mload(place), 0xffffffffffffffff))
                    }
                }
            }
            if (weight >= threshold) revert OperatorTooHeavy(bytes32(operator));
        }
    }

    /// @dev Words as parameters: assembly must not meet the high bits of a shorter type, which the compiler may leave dirty.
    function _digest(bytes32 separator, bytes32 root, uint256 count, uint256 epoch)
        private
        pure
        returns (bytes32 digest)
    {
        bytes32 typeHash = BATCH_TYPEHASH;
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, typeHash)
            mstore(add(data, 32), root)
            mstore(add(data, 64), count)
            mstore(add(data, 96), epoch)
            let structHash := keccak256(data, 128)
            mstore(data, hex"1901")
            mstore(add(data, 2), separator)
            mstore(add(data, 34), structHash)
            digest := keccak256(data, 66)
        }
    }

    /// @dev SECURITY: after a chain split the other side has another id, and signatures must not count on both.
    function _cachedDomain() private view returns (bytes32 separator, uint256 tags) {
        return block.chainid == CHAIN_ID ? (DOMAIN_SEPARATOR, TAGS) : _domain();
    }

    function _domain() private view returns (bytes32 separator, uint256 tags) {
        bytes32 salt = keccak256(InteroperableAddress.formatEvmV1(block.chainid, gateway));
        separator = keccak256(abi.encode(DOMAIN_TYPEHASH, keccak256("XVM"), keccak256("1"), salt));
        bytes32 chainHash = keccak256(InteroperableAddress.formatEvmV1(block.chainid));
        tags = (uint256(chainHash) >> 224 << 32) | (uint256(salt) >> 224);
    }

    function _wordAt(bytes memory blob, uint256 i) internal pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(add(add(blob, 32), shl(5, i)))
        }
    }

    function _setWord(bytes memory blob, uint256 i, uint256 word) private pure {
        assembly ("memory-safe") {
            mstore(add(add(blob, 32), shl(5, i)), word)
        }
    }
}
