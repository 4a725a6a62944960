// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {XvmCounter} from "../src/examples/XvmCounter.sol";
import {XvmEcho} from "../src/examples/XvmEcho.sol";
import {IXvmDestination} from "../src/interfaces/IXvmDestination.sol";
import {IXvmRoutes} from "../src/interfaces/IXvmRoutes.sol";
import {IXvmSource} from "../src/interfaces/IXvmSource.sol";
import {IXvmVerifier} from "../src/interfaces/IXvmVerifier.sol";
import {
    DeliverBatch,
    ExecuteBatch,
    ExecuteItem,
    ExpireBatch,
    ExpireItem,
    Options,
    OutcomeItem,
    Request,
    RequestByHash,
    Signer,
    SignerSet
} from "../src/interfaces/XvmTypes.sol";
import {RequestHash} from "../src/libraries/RequestHash.sol";
import {StatementHash} from "../src/libraries/StatementHash.sol";
import {EcdsaVerifier} from "../src/verifiers/EcdsaVerifier.sol";
import {XvmGateway} from "../src/XvmGateway.sol";
import {XvmRegistry} from "../src/XvmRegistry.sol";
import {XvmRoutes} from "../src/XvmRoutes.sol";
import {Assertions} from "./Assertions.sol";
import {Vm} from "./Vm.sol";

/// @notice Two gateways on one chain, one asking and one executing, and what it takes to certify what they did.
abstract contract GatewayTest is Assertions {
    uint256 internal constant CHAIN = 31_337;
    uint256 internal constant START = 1_800_000_000;
    uint256 internal constant HEIGHT = 1000;
    uint32 internal constant MAX_PAUSE = 1000;
    uint32 internal constant QUOTE_BLOCKS = 50;
    uint64 internal constant GRACE = 1 days;

    address internal guardian = address(0x6001);
    address internal treasury = address(0x6002);
    address internal alice = address(0x6003);
    address internal relayer = address(0x6004);
    address internal worker = address(0x6005);

    uint256[] internal keys;

    XvmRegistry internal registry;
    XvmRoutes internal sourceRoutes;
    XvmRoutes internal destinationRoutes;
    XvmGateway internal source;
    XvmGateway internal destination;
    EcdsaVerifier internal sourceVerifier;
    EcdsaVerifier internal destinationVerifier;
    XvmCounter internal counter;
    XvmEcho internal echo;

    receive() external payable {}

    function setUp() public virtual {
        vm.chainId(CHAIN);
        vm.warp(START);
        vm.roll(HEIGHT);
        vm.deal(alice, 1000 ether);
        vm.deal(address(this), 1000 ether);
        keys = [uint256(0xa1), 0xa2, 0xa3, 0xa4];
        registry = XvmRegistry(deploy("XvmRegistry", abi.encode(address(this))));
        (sourceRoutes, source, sourceVerifier) = _deploy();
        (destinationRoutes, destination, destinationVerifier) = _deploy();
        sourceRoutes.setOutbound(chain(), route());
        sourceRoutes.setPrice(chain(), price());
        destinationRoutes.setInbound(account(address(source)), true);
        counter = XvmCounter(deploy("XvmCounter", abi.encode(destination)));
        echo = newEcho();
        vm.deal(address(echo), 1000 ether);
    }

    function _deploy() private returns (XvmRoutes routes, XvmGateway gateway, EcdsaVerifier verifier) {
        routes = XvmRoutes(deploy("XvmRoutes", abi.encode(address(this), guardian, MAX_PAUSE, QUOTE_BLOCKS, 1000)));
        gateway = XvmGateway(
            deploy("XvmGateway", abi.encode(address(this), guardian, MAX_PAUSE, treasury, routes, registry))
        );
        verifier = newVerifier(address(gateway));
        gateway.setVerifier(address(verifier));
        verifier.install(signerSet(keys, 3));
    }

    function newEcho() internal returns (XvmEcho) {
        return XvmEcho(payable(deploy("XvmEcho", abi.encode(source))));
    }

    function newVerifier(address gateway) internal returns (EcdsaVerifier) {
        return EcdsaVerifier(deploy("EcdsaVerifier", abi.encode(gateway, address(this))));
    }

    // ---- values

    function account(address who) internal pure returns (bytes memory) {
        return InteroperableAddress.formatEvmV1(CHAIN, who);
    }

    function chain() internal pure returns (bytes memory) {
        return InteroperableAddress.formatEvmV1(CHAIN);
    }

    function payeeWord(address who) internal pure returns (bytes32) {
        return bytes32(uint256(uint160(who)));
    }

    function route() internal view returns (IXvmRoutes.Outbound memory) {
        return IXvmRoutes.Outbound({
            destinationGateway: account(address(destination)),
            queries: true,
            addressLengths: 1 << 20,
            maxPayloadBytes: 4096,
            maxReturnBytes: 2048,
            maxExecutionGas: 2_000_000,
            maxCallbackGas: 1_000_000,
            minExpirySeconds: 10,
            maxExpirySeconds: 1000,
            defaultExpirySeconds: 100,
            deadlineBlocks: 120,
            maxDeadlineBlocks: 5000
        });
    }

    function price() internal pure returns (IXvmRoutes.Price memory) {
        return IXvmRoutes.Price({
            executionWeiPerGigagas: 3e18,
            callbackWeiPerGigagas: 20e18,
            signersWei: 1e13,
            executionOverheadGas: 60_000,
            callbackOverheadGas: 40_000,
            expireGas: 80_000,
            executionGasPerByte: 40,
            callbackGasPerByte: 24,
            marginBps: 500,
            queryBps: 200
        });
    }

    function signerSet(uint256[] memory secrets, uint64 threshold) internal view returns (SignerSet memory set) {
        set.scheme = 1;
        set.threshold = threshold;
        set.validUntil = uint64(block.timestamp + 365 days);
        set.graceSeconds = GRACE;
        set.signers = new Signer[](secrets.length);
        for (uint256 i = 0; i < secrets.length; ++i) {
            set.signers[i] =
                Signer({key: abi.encodePacked(vm.addr(secrets[i])), weight: 1, operator: bytes32(secrets[i])});
        }
    }

    function increment(uint256 amount) internal pure returns (bytes memory) {
        return abi.encodeCall(XvmCounter.increment, (amount));
    }

    // ---- asking

    function askBy(XvmEcho who, address target, bytes memory payload, Options memory options)
        internal
        returns (uint256 id, Request memory request)
    {
        vm.recordLogs();
        who.ask(account(target), payload, options);
        return lastRequest();
    }

    function ask(bytes memory payload) internal returns (uint256 id, Request memory request) {
        Options memory options;
        return askBy(echo, address(counter), payload, options);
    }

    function askAsEoa(bytes memory payload) internal returns (uint256 id, Request memory request) {
        Options memory options;
        vm.recordLogs();
        vm.prank(alice, alice);
        source.xvmExecute{value: 1 ether}(account(address(counter)), payload, options);
        return lastRequest();
    }

    /// @dev The request in the logs recorded last.
    function lastRequest() internal returns (uint256 id, Request memory request) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = logs.length; i > 0; --i) {
            if (logs[i - 1].topics[0] != IXvmSource.XVMCallRequested.selector) continue;
            (request,,) = abi.decode(logs[i - 1].data, (Request, uint256, uint64));
            id = uint256(logs[i - 1].topics[1]);
            assertEq(RequestHash.id(request), id, "the id commits to the request");
            return (id, request);
        }
        revert("no request was made");
    }

    // ---- certifying

    function certificate(EcdsaVerifier verifier, uint64 epoch, bytes32 root, uint256 count, uint256[] memory secrets)
        internal
        view
        returns (bytes memory)
    {
        bytes32 digest = keccak256(
            abi.encodePacked(
                hex"1901",
                verifier.domainSeparator(),
                keccak256(abi.encode(keccak256("Batch(bytes32 root,uint32 count,uint64 epoch)"), root, count, epoch))
            )
        );
        bytes memory signatures;
        for (uint256 i = 0; i < secrets.length; ++i) {
            (uint8 v, bytes32 r, bytes32 s) = vm.sign(secrets[i], digest);
            signatures = abi.encodePacked(signatures, r, uint256(s) | (uint256(v - 27) << 255));
        }
        return abi.encodePacked(
            uint8(1),
            epoch,
            bytes4(keccak256(chain())),
            bytes4(keccak256(account(verifier.gateway()))),
            allOf(secrets.length),
            signatures
        );
    }

    function certificate(EcdsaVerifier verifier, bytes32[] memory leaves) internal view virtual returns (bytes memory) {
        uint256[] memory three = new uint256[](3);
        for (uint256 i = 0; i < 3; ++i) {
            three[i] = keys[i];
        }
        return certificate(verifier, 1, rootOf(leaves), leaves.length, three);
    }

    /// @dev The queue algorithm: take two, push their hash, until one is left.
    function rootOf(bytes32[] memory leaves) internal pure returns (bytes32) {
        bytes32[] memory queue = new bytes32[](2 * leaves.length - 1);
        for (uint256 i = 0; i < leaves.length; ++i) {
            queue[i] = leaves[i];
        }
        uint256 head = 0;
        for (uint256 tail = leaves.length; tail < queue.length; ++tail) {
            (bytes32 a, bytes32 b) = (queue[head], queue[head + 1]);
            queue[tail] = a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
            head += 2;
        }
        return queue[head];
    }

    function executeItem(Request memory request) internal pure returns (ExecuteItem memory) {
        return
            ExecuteItem({request: request, height: 77, blockHash: keccak256(request.sender), txIndex: 3, logIndex: 1});
    }

    function executeLeaf(ExecuteItem memory item) internal pure returns (bytes32) {
        return StatementHash.leaf(
            keccak256(
                abi.encode(
                    StatementHash.EXECUTE_TYPEHASH,
                    RequestHash.id(item.request),
                    item.height,
                    item.blockHash,
                    item.txIndex,
                    item.logIndex
                )
            )
        );
    }

    function executeBatch(Request[] memory requests) internal view returns (ExecuteBatch[] memory batches) {
        ExecuteItem[] memory items = new ExecuteItem[](requests.length);
        bytes32[] memory leaves = new bytes32[](requests.length);
        for (uint256 i = 0; i < requests.length; ++i) {
            items[i] = executeItem(requests[i]);
            leaves[i] = executeLeaf(items[i]);
        }
        batches = new ExecuteBatch[](1);
        batches[0] = ExecuteBatch({
            given: allOf(items.length),
            bare: new bytes32[](0),
            items: items,
            certificate: certificate(destinationVerifier, leaves)
        });
    }

    function executeBatch(Request memory request) internal view returns (ExecuteBatch[] memory) {
        Request[] memory requests = new Request[](1);
        requests[0] = request;
        return executeBatch(requests);
    }

    function expireBatch(Request[] memory requests) internal view returns (ExpireBatch[] memory batches) {
        ExecuteBatch memory batch = executeBatch(requests)[0];
        ExpireItem[] memory items = new ExpireItem[](requests.length);
        for (uint256 i = 0; i < requests.length; ++i) {
            items[i].request = byHash(requests[i]);
            items[i].height = batch.items[i].height;
            items[i].blockHash = batch.items[i].blockHash;
            items[i].txIndex = batch.items[i].txIndex;
            items[i].logIndex = batch.items[i].logIndex;
        }
        batches = new ExpireBatch[](1);
        batches[0] = ExpireBatch({given: batch.given, bare: batch.bare, items: items, certificate: batch.certificate});
    }

    function expireBatch(Request memory request) internal view returns (ExpireBatch[] memory) {
        Request[] memory requests = new Request[](1);
        requests[0] = request;
        return expireBatch(requests);
    }

    function byHash(Request memory request) internal pure returns (RequestByHash memory) {
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

    function outcome(uint256 id, uint8 kind, bytes memory returnData) internal view returns (OutcomeItem memory) {
        return OutcomeItem({
            requestId: id,
            kind: kind,
            cut: false,
            height: 88,
            blockHash: keccak256(returnData),
            txIndex: 2,
            logIndex: 4,
            payee: payeeWord(worker),
            round: 0,
            returnData: returnData
        });
    }

    function outcomeHash(OutcomeItem memory item) internal pure returns (bytes32) {
        return keccak256(
            bytes.concat(
                abi.encode(
                    StatementHash.OUTCOME_TYPEHASH, item.requestId, item.kind, item.cut, keccak256(item.returnData)
                ),
                abi.encode(item.height, item.blockHash, item.txIndex, item.logIndex, item.payee, item.round)
            )
        );
    }

    function deliverBatch(OutcomeItem[] memory items) internal view returns (DeliverBatch[] memory batches) {
        bytes32[] memory leaves = new bytes32[](items.length);
        for (uint256 i = 0; i < items.length; ++i) {
            leaves[i] = StatementHash.leaf(outcomeHash(items[i]));
        }
        batches = new DeliverBatch[](1);
        batches[0] = DeliverBatch({
            given: allOf(items.length),
            bare: new bytes32[](0),
            outcomes: items,
            certificate: certificate(sourceVerifier, leaves)
        });
    }

    function deliverBatch(OutcomeItem memory item) internal view returns (DeliverBatch[] memory) {
        OutcomeItem[] memory items = new OutcomeItem[](1);
        items[0] = item;
        return deliverBatch(items);
    }

    function allOf(uint256 count) internal pure returns (uint256) {
        return count == 256 ? type(uint256).max : (1 << count) - 1;
    }

    // ---- submitting, as a relayer does

    function execute(ExecuteBatch[] memory batches) internal {
        vm.recordLogs();
        vm.prank(relayer, relayer);
        destination.execute(batches, payeeWord(worker));
    }

    function execute(Request memory request) internal {
        execute(executeBatch(request));
    }

    function deliver(DeliverBatch[] memory batches) internal {
        vm.recordLogs();
        vm.prank(relayer, relayer);
        source.deliver(batches);
    }

    function deliver(OutcomeItem memory item) internal {
        deliver(deliverBatch(item));
    }

    // ---- looking at logs

    /// @dev The data of the only log of this event in the logs recorded last.
    function onlyLog(Vm.Log[] memory logs, bytes32 topic) internal pure returns (Vm.Log memory found) {
        assertEq(countLogs(logs, topic), 1, "one log of this event");
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == topic) return logs[i];
        }
    }

    function countLogs(Vm.Log[] memory logs, bytes32 topic) internal pure returns (uint256 count) {
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] == topic) ++count;
        }
    }

    function assertSkipped(uint256 id, bytes4 reason) internal {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(countLogs(logs, IXvmDestination.XVMCallConcluded.selector), 0, "nothing is concluded");
        Vm.Log memory log = onlyLog(logs, IXvmDestination.XVMCallSkipped.selector);
        assertEq(uint256(log.topics[1]), id, "the skipped request");
        assertEq(abi.decode(log.data, (bytes4)), reason, "the reason");
    }

    function assertConcluded(uint256 id, uint8 kind, bool cut, bytes memory returnData) internal {
        Vm.Log memory log = onlyLog(vm.getRecordedLogs(), IXvmDestination.XVMCallConcluded.selector);
        assertEq(uint256(log.topics[1]), id, "the concluded request");
        assertEq(log.topics[2], keccak256(account(address(source))), "hash of the source gateway");
        assertEq(
            log.data,
            abi.encode(account(address(source)), kind, cut, returnData, payeeWord(worker)),
            "source gateway, kind, cut, return data, payee"
        );
    }

    function slotWord(uint8 kind, uint256 id) internal pure returns (bytes32) {
        return bytes32((uint256(kind) << 248) | (id & type(uint248).max));
    }

    /// @dev What the gateway owes and holds for this test's cast, against its balance.
    function assertSolvent(uint256 openFees) internal view {
        uint256 owed = openFees + source.credits(alice) + source.credits(relayer) + source.credits(worker)
            + source.credits(treasury) + source.credits(address(echo)) + source.signersPool(address(sourceVerifier), 1)
            + source.signersPool(address(sourceVerifier), 2) + source.uncollected(relayer);
        assertEq(address(source).balance, owed, "balance = open fees + credits + pools");
    }

    function relayerAlone() internal view returns (address[] memory deliverers) {
        deliverers = new address[](1);
        deliverers[0] = relayer;
    }

    function feeOf(uint256 id) internal view returns (uint256) {
        return source.pendingRequest(id).fee;
    }
}
