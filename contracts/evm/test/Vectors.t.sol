// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmGateway} from "../src/interfaces/IXvmGateway.sol";
import {IXvmVerifier} from "../src/interfaces/IXvmVerifier.sol";
import {ExecuteItem, OutcomeItem, Request, RequestByHash, Signer, SignerSet} from "../src/interfaces/XvmTypes.sol";
import {Merkle} from "../src/libraries/Merkle.sol";
import {RequestHash} from "../src/libraries/RequestHash.sol";
import {StatementHash} from "../src/libraries/StatementHash.sol";
import {Assertions} from "./Assertions.sol";

/// @notice Hashes of values in calldata, for tests that have them in memory.
contract Hasher {
    function requestId(Request calldata request) external pure returns (uint256) {
        return RequestHash.idOfCalldata(request, false);
    }

    function requestIdByHash(RequestByHash calldata request) external pure returns (uint256) {
        Request calldata same;
        assembly ("memory-safe") {
            same := request
        }
        return RequestHash.idOfCalldata(same, true);
    }

    function execute(uint256 id, ExecuteItem calldata item) external pure returns (bytes32) {
        return StatementHash.execute(id, item);
    }

    function outcome(OutcomeItem calldata item) external pure returns (bytes32 structHash, bytes32 dataHash) {
        return StatementHash.outcome(item);
    }
}

/// @notice The contracts compute what the golden vectors say, which the Python side computes as well.
contract VectorsTest is Assertions {
    string private constant FOLDER = "../../attestation/vectors/";

    Hasher private hasher = new Hasher();

    function test_RequestIdsAreThoseOfTheVectors() public {
        string memory json = vm.readFile(string.concat(FOLDER, "requests.json"));
        bytes32[] memory ids = vm.parseJsonBytes32Array(json, ".id");
        assertTrue(ids.length > 0, "there are vectors");
        for (uint256 i = 0; i < ids.length; ++i) {
            Request memory request = _request(json, i);
            assertEq(bytes32(RequestHash.id(request)), ids[i], "id in memory");
            assertEq(bytes32(hasher.requestId(request)), ids[i], "id in calldata");
            assertEq(bytes32(hasher.requestIdByHash(_byHash(request))), ids[i], "id by the payload's hash");
        }
    }

    function test_ExecuteLeavesAreThoseOfTheVectors() public view {
        string memory json = vm.readFile(string.concat(FOLDER, "statements.json"));
        bytes32[] memory ids = vm.parseJsonBytes32Array(json, ".execute.requestId");
        uint256[] memory heights = vm.parseJsonUintArray(json, ".execute.height");
        bytes32[] memory blockHashes = vm.parseJsonBytes32Array(json, ".execute.blockHash");
        uint256[] memory txIndices = vm.parseJsonUintArray(json, ".execute.txIndex");
        uint256[] memory logIndices = vm.parseJsonUintArray(json, ".execute.logIndex");
        bytes32[] memory hashes = vm.parseJsonBytes32Array(json, ".execute.structHash");
        bytes32[] memory leaves = vm.parseJsonBytes32Array(json, ".execute.leaf");
        for (uint256 i = 0; i < ids.length; ++i) {
            ExecuteItem memory item;
            item.height = uint64(heights[i]);
            item.blockHash = blockHashes[i];
            item.txIndex = uint32(txIndices[i]);
            item.logIndex = uint32(logIndices[i]);
            bytes32 hash = hasher.execute(uint256(ids[i]), item);
            assertEq(hash, hashes[i], "struct hash");
            assertEq(StatementHash.leaf(hash), leaves[i], "leaf");
        }
    }

    function test_OutcomeLeavesAreThoseOfTheVectors() public view {
        string memory json = vm.readFile(string.concat(FOLDER, "statements.json"));
        bytes32[] memory hashes = vm.parseJsonBytes32Array(json, ".outcome.structHash");
        bytes32[] memory leaves = vm.parseJsonBytes32Array(json, ".outcome.leaf");
        bytes32[] memory dataHashes = vm.parseJsonBytes32Array(json, ".outcome.returnDataHash");
        uint256 known = 0;
        for (uint256 i = 0; i < hashes.length; ++i) {
            OutcomeItem memory item = _outcome(json, i);
            // the vectors give the hash of the return data; what it is of is known for the empty data alone
            (bytes32 hash, bytes32 dataHash) = hasher.outcome(item);
            if (dataHashes[i] == keccak256("")) {
                ++known;
                assertEq(hash, hashes[i], "struct hash");
                assertEq(dataHash, dataHashes[i], "hash of the return data");
                assertEq(StatementHash.leaf(hash), leaves[i], "leaf");
            } else {
                assertEq(_outcomeHash(item, dataHashes[i]), hashes[i], "struct hash");
                assertEq(_outcomeHash(item, keccak256("")), hash, "the same encoding as the library's");
            }
        }
        assertTrue(known > 0, "some vectors have empty return data");
    }

    function test_RotateLeavesAreThoseOfTheVectors() public view {
        string memory json = vm.readFile(string.concat(FOLDER, "statements.json"));
        bytes32[] memory sets = vm.parseJsonBytes32Array(json, ".rotate.signerSetHash");
        uint256[] memory epochs = vm.parseJsonUintArray(json, ".rotate.newEpoch");
        bytes32[] memory leaves = vm.parseJsonBytes32Array(json, ".rotate.leaf");
        for (uint256 i = 0; i < sets.length; ++i) {
            assertEq(StatementHash.rotateLeaf(sets[i], uint64(epochs[i])), leaves[i], "leaf");
        }
    }

    function test_RootsAreThoseOfTheVectors() public view {
        string memory json = vm.readFile(string.concat(FOLDER, "merkle.json"));
        uint256 cases = 0;
        for (; vm.keyExistsJson(json, _key(".cases", cases, "")); ++cases) {
            bytes32[] memory leaves = vm.parseJsonBytes32Array(json, _key(".cases", cases, ".leaves"));
            uint256 tree = Merkle.reserve(leaves.length);
            for (uint256 i = 0; i < leaves.length; ++i) {
                Merkle.set(tree, leaves.length, i, leaves[i]);
            }
            assertEq(
                Merkle.root(tree, leaves.length), vm.parseJsonBytes32(json, _key(".cases", cases, ".root")), "root"
            );
        }
        assertTrue(cases > 1, "there are vectors");
    }

    function test_DomainSeparatorsAreThoseOfTheVectors() public {
        string memory json = vm.readFile(string.concat(FOLDER, "batches.json"));
        bytes[] memory gateways = vm.parseJsonBytesArray(json, ".gateway");
        bytes32[] memory separators = vm.parseJsonBytes32Array(json, ".domainSeparator");
        uint256 evm = 0;
        for (uint256 i = 0; i < gateways.length; ++i) {
            bytes memory gateway = gateways[i];
            // version 1, eip155; other chains' gateways verify elsewhere
            if (gateway[2] != 0 || gateway[3] != 0) continue;
            ++evm;
            uint256 id;
            for (uint256 j = 0; j < uint8(gateway[4]); ++j) {
                id = (id << 8) | uint8(gateway[5 + j]);
            }
            if (id > type(uint64).max) continue;
            address account;
            assembly ("memory-safe") {
                account := mload(add(gateway, mload(gateway)))
            }
            vm.chainId(id);
            assertEq(_verifierOf("EcdsaVerifier", account).domainSeparator(), separators[i], "domain separator");
        }
        assertTrue(evm > 0, "there are EVM gateways");
    }

    /// @notice Every rule of signer sets, and their hashes.
    function test_SignerSetsAreTakenAndRefusedAsInTheVectors() public {
        _judgeSets("EcdsaVerifier", "signer_sets.json");
    }

    /// @notice SECURITY: rogue, unproven, repeated, opposite and zero keys, others' proofs, points outside the subgroup or in
    /// another form.
    function test_SECURITY_BlsSignerSetsAreTakenAndRefusedAsInTheVectors() public {
        _judgeSets("BlsVerifier", "bls_signer_sets.json");
    }

    function _judgeSets(string memory contractName, string memory file) private {
        uint256 i = 0;
        while (this.judgeSet(contractName, file, i)) ++i;
        assertTrue(i > 1, "there are vectors");
    }

    /// @dev A call of its own: its memory, which holds the file again for each value read, is given back.
    function judgeSet(string calldata contractName, string calldata file, uint256 i) external returns (bool) {
        string memory json = vm.readFile(string.concat(FOLDER, file));
        string memory place = _key(".cases", i, "");
        if (!vm.keyExistsJson(json, place)) return false;
        vm.warp(vm.parseJsonUint(json, ".now"));
        IXvmVerifier verifier = _verifierOf(contractName, address(0x6a7e));
        SignerSet memory set = _signerSet(json, place);
        string memory rule = vm.parseJsonString(json, string.concat(place, ".error"));
        if (bytes(rule).length == 0) {
            assertEq(
                verifier.hashSignerSet(set), vm.parseJsonBytes32(json, string.concat(place, ".hash")), "hash of a set"
            );
            verifier.install(set);
            (SignerSet memory stored, uint64 validUntil) = verifier.signerSet(1);
            assertEq(abi.encode(stored), abi.encode(set), "the stored set");
            assertEq(validUntil, set.validUntil, "validity");
        } else {
            (bool success, bytes memory reason) = address(verifier).call(abi.encodeCall(verifier.install, (set)));
            assertTrue(!success, "a bad set is refused");
            assertEq(reason, vm.parseJsonBytes(json, string.concat(place, ".errorData")), rule);
        }
        return true;
    }

    /// @notice SECURITY: forged, high-s, repeated, unknown-signer, below-threshold, wrong-epoch, other-gateway and other-chain
    /// certificates, a zero root and an empty batch: each is refused with its own error, and the good ones are taken.
    function test_SECURITY_CertificatesAreJudgedAsInTheVectors() public {
        _judgeCertificates("EcdsaVerifier", "certificates.json");
    }

    /// @notice SECURITY: sums of other signers' signatures, of identities, of points outside the subgroup or in another form.
    function test_SECURITY_BlsCertificatesAreJudgedAsInTheVectors() public {
        _judgeCertificates("BlsVerifier", "bls_certificates.json");
    }

    function _judgeCertificates(string memory contractName, string memory file) private {
        uint256 start = vm.snapshotState();
        uint256 i = 0;
        while (this.judgeCertificate(contractName, file, i)) {
            vm.revertToState(start);
            ++i;
        }
        assertTrue(i > 40, "there are vectors");
    }

    /// @dev A call of its own, as for sets.
    function judgeCertificate(string calldata contractName, string calldata file, uint256 i) external returns (bool) {
        string memory json = vm.readFile(string.concat(FOLDER, file));
        string memory place = _key(".cases", i, "");
        if (!vm.keyExistsJson(json, place)) return false;
        IXvmVerifier verifier =
            _verifierNamed(contractName, json, vm.parseJsonString(json, string.concat(place, ".verifier")));
        vm.warp(vm.parseJsonUint(json, string.concat(place, ".now")));
        (bool success, bytes memory answer) = address(verifier)
            .staticcall(
                abi.encodeCall(
                    verifier.verify,
                    (
                        vm.parseJsonBytes32(json, string.concat(place, ".root")),
                        uint32(vm.parseJsonUint(json, string.concat(place, ".count"))),
                        vm.parseJsonBytes(json, string.concat(place, ".certificate"))
                    )
                )
            );
        string memory name = vm.parseJsonString(json, string.concat(place, ".name"));
        bytes memory expected = vm.parseJsonBytes(json, string.concat(place, ".errorData"));
        if (expected.length == 0) {
            expected = abi.encode(vm.parseJsonUint(json, string.concat(place, ".epoch")));
            assertTrue(success, name);
        }
        assertEq(answer, expected, name);
        return true;
    }

    /// @dev Of a gateway that has no verifier yet.
    function _verifierOf(string memory contractName, address gateway) private returns (IXvmVerifier) {
        vm.mockCall(gateway, abi.encodeCall(IXvmGateway.verifier, ()), abi.encode(address(0)));
        return IXvmVerifier(deploy(contractName, abi.encode(gateway, address(this))));
    }

    /// @dev Applies both sets of a verifier of the vectors: the first installed, the second brought by its certificate.
    function _verifierNamed(string memory contractName, string memory json, string memory name)
        private
        returns (IXvmVerifier verifier)
    {
        for (uint256 i = 0;; ++i) {
            string memory place = _key(".verifiers", i, "");
            if (keccak256(bytes(vm.parseJsonString(json, string.concat(place, ".name")))) != keccak256(bytes(name))) {
                continue;
            }
            vm.chainId(vm.parseJsonUint(json, string.concat(place, ".chainId")));
            uint256[] memory times = vm.parseJsonUintArray(json, string.concat(place, ".appliedAt"));
            verifier = _verifierOf(contractName, vm.parseJsonAddress(json, string.concat(place, ".gatewayAddress")));
            vm.warp(times[0]);
            verifier.install(_signerSet(json, string.concat(place, ".sets[0]")));
            vm.warp(times[1]);
            verifier.rotate(
                _signerSet(json, string.concat(place, ".sets[1]")),
                vm.parseJsonBytes(json, string.concat(place, ".rotationCertificate"))
            );
            return verifier;
        }
    }

    function _signerSet(string memory json, string memory place) private pure returns (SignerSet memory set) {
        set.scheme = uint8(vm.parseJsonUint(json, string.concat(place, ".scheme")));
        set.threshold = uint64(vm.parseJsonUint(json, string.concat(place, ".threshold")));
        set.validUntil = uint64(vm.parseJsonUint(json, string.concat(place, ".validUntil")));
        set.graceSeconds = uint64(vm.parseJsonUint(json, string.concat(place, ".graceSeconds")));
        bytes[] memory keys = vm.parseJsonBytesArray(json, string.concat(place, ".keys"));
        uint256[] memory weights = vm.parseJsonUintArray(json, string.concat(place, ".weights"));
        bytes32[] memory operators = vm.parseJsonBytes32Array(json, string.concat(place, ".operators"));
        set.signers = new Signer[](keys.length);
        for (uint256 i = 0; i < keys.length; ++i) {
            set.signers[i] = Signer({key: keys[i], weight: uint64(weights[i]), operator: operators[i]});
        }
    }

    function _request(string memory json, uint256 i) private pure returns (Request memory request) {
        request.sourceGateway = vm.parseJsonBytesArray(json, ".sourceGateway")[i];
        request.sender = vm.parseJsonBytesArray(json, ".sender")[i];
        request.destinationGateway = vm.parseJsonBytesArray(json, ".destinationGateway")[i];
        request.target = vm.parseJsonBytesArray(json, ".target")[i];
        request.nonce = uint64(vm.parseJsonUintArray(json, ".nonce")[i]);
        request.mode = uint8(vm.parseJsonUintArray(json, ".mode")[i]);
        request.ownAccount = vm.parseJsonBoolArray(json, ".ownAccount")[i];
        request.payload = vm.parseJsonBytesArray(json, ".payload")[i];
        request.executionGasLimit = uint64(vm.parseJsonUintArray(json, ".executionGasLimit")[i]);
        request.callbackGasLimit = uint64(vm.parseJsonUintArray(json, ".callbackGasLimit")[i]);
        request.returnLimit = uint32(vm.parseJsonUintArray(json, ".returnLimit")[i]);
        request.expiry = uint64(vm.parseJsonUintArray(json, ".expiry")[i]);
        request.orderedAfter = uint256(vm.parseJsonBytes32Array(json, ".orderedAfter")[i]);
        request.origin = uint256(vm.parseJsonBytes32Array(json, ".origin")[i]);
        request.codeHash = vm.parseJsonBytes32Array(json, ".codeHash")[i];
        request.disputeBlocks = uint32(vm.parseJsonUintArray(json, ".disputeBlocks")[i]);
        request.metadata = vm.parseJsonBytesArray(json, ".metadata")[i];
    }

    function _byHash(Request memory request) private pure returns (RequestByHash memory) {
        return RequestByHash({
            sourceGateway: request.sourceGateway,
            sender: request.sender,
            destinationGateway: request.destinationGateway,
            target: request.target,
            nonce: request.nonce,
            mode: request.mode,
            ownAccount: request.ownAccount,
            payloadHash: keccak256(request.payload),
            executionGasLimit: request.executionGasLimit,
            callbackGasLimit: request.callbackGasLimit,
            returnLimit: request.returnLimit,
            expiry: request.expiry,
            orderedAfter: request.orderedAfter,
            origin: request.origin,
            codeHash: request.codeHash,
            disputeBlocks: request.disputeBlocks,
            metadata: request.metadata
        });
    }

    function _outcome(string memory json, uint256 i) private pure returns (OutcomeItem memory item) {
        item.requestId = uint256(vm.parseJsonBytes32Array(json, ".outcome.requestId")[i]);
        item.kind = uint8(vm.parseJsonUintArray(json, ".outcome.kind")[i]);
        item.cut = vm.parseJsonBoolArray(json, ".outcome.cut")[i];
        item.height = uint64(vm.parseJsonUintArray(json, ".outcome.height")[i]);
        item.blockHash = vm.parseJsonBytes32Array(json, ".outcome.blockHash")[i];
        item.txIndex = uint32(vm.parseJsonUintArray(json, ".outcome.txIndex")[i]);
        item.logIndex = uint32(vm.parseJsonUintArray(json, ".outcome.logIndex")[i]);
        item.payee = vm.parseJsonBytes32Array(json, ".outcome.payee")[i];
        item.round = uint32(vm.parseJsonUintArray(json, ".outcome.round")[i]);
    }

    /// @dev The encoding in plain words.
    function _outcomeHash(OutcomeItem memory item, bytes32 dataHash) private pure returns (bytes32) {
        return keccak256(
            bytes.concat(
                abi.encode(StatementHash.OUTCOME_TYPEHASH, item.requestId, item.kind, item.cut, dataHash),
                abi.encode(item.height, item.blockHash, item.txIndex, item.logIndex, item.payee, item.round)
            )
        );
    }

    function _key(string memory list, uint256 i, string memory field) private pure returns (string memory) {
        return string.concat(list, "[", vm.toString(i), "]", field);
    }
}
