// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC7786Recipient} from "@openzeppelin/contracts/crosschain/ERC7786Recipient.sol";
import {IERC7786GatewaySource} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {IXvmErc7786Inbound} from "../../src/adapters/IXvmErc7786Inbound.sol";
import {IXvmErc7786Attributes, IXvmErc7786Source} from "../../src/adapters/IXvmErc7786Source.sol";
import {XvmErc7786Inbound} from "../../src/adapters/XvmErc7786Inbound.sol";
import {XvmErc7786Source} from "../../src/adapters/XvmErc7786Source.sol";
import {IXVMClient} from "../../src/client/IXVMClient.sol";
import {IXvmDestination} from "../../src/interfaces/IXvmDestination.sol";
import {Kind, Options, Request} from "../../src/interfaces/XvmTypes.sol";
import {GatewayTest} from "../GatewayTest.sol";
import {Vm} from "../Vm.sol";

/// @notice A recipient as OpenZeppelin makes them.
contract Mailbox is ERC7786Recipient {
    address public immutable trusted;
    uint256 public count;
    bytes32 public receiveId;
    bytes public sender;
    bytes public payload;

    constructor(address trusted_) {
        trusted = trusted_;
    }

    function _isAuthorizedGateway(address gateway, bytes calldata) internal view override returns (bool) {
        return gateway == trusted;
    }

    function _processMessage(address, bytes32 receiveId_, bytes calldata sender_, bytes calldata payload_)
        internal
        override
    {
        require(payload_.length != 13, "thirteen");
        ++count;
        (receiveId, sender, payload) = (receiveId_, sender_, payload_);
    }
}

/// @notice A recipient that answers something else.
contract Sloppy {
    function receiveMessage(bytes32, bytes calldata, bytes calldata) external payable returns (bytes4) {
        return 0x01020304;
    }
}

contract Erc7786Test is GatewayTest {
    XvmErc7786Source private outbound;
    XvmErc7786Inbound private inbound;
    Mailbox private mailbox;
    bytes[] private none;

    function setUp() public override {
        super.setUp();
        outbound = XvmErc7786Source(payable(deploy("XvmErc7786Source", abi.encode(source, address(this), 120))));
        inbound = XvmErc7786Inbound(deploy("XvmErc7786Inbound", abi.encode(destination, address(this))));
        outbound.setRemote(account(address(inbound)));
        inbound.setSource(account(address(outbound)), true);
        mailbox = new Mailbox(address(inbound));
    }

    function test_AMessageArrivesWithItsTrueSender() public {
        (uint256 id, Request memory request) = _send("hello");
        execute(request);
        assertEq(mailbox.count(), 1, "received");
        assertEq(mailbox.receiveId(), bytes32(id), "the id");
        assertEq(mailbox.sender(), account(alice), "who sent it");
        assertEq(mailbox.payload(), "hello", "what was sent");
        deliver(outcome(id, Kind.EXECUTED, ""));
        assertEq(
            onlyLog(vm.getRecordedLogs(), IXvmErc7786Source.XVMMessageConcluded.selector).data,
            abi.encode(true),
            "and told on the other side"
        );
    }

    function test_ItIsSentAtOnceAndLogged() public {
        uint256 fee = outbound.quoteMessage(account(address(mailbox)), "hello", none);
        uint256 before = alice.balance;
        vm.recordLogs();
        vm.prank(alice);
        bytes32 sendId = outbound.sendMessage{value: fee + 1 ether}(account(address(mailbox)), "hello", none);
        assertEq(sendId, bytes32(0), "nothing is left to do");
        assertEq(before - alice.balance, fee, "the fee, no more");
        Vm.Log memory log = onlyLog(vm.getRecordedLogs(), IERC7786GatewaySource.MessageSent.selector);
        assertEq(log.topics[1], bytes32(0), "sendId");
        assertEq(
            log.data,
            abi.encode(account(alice), account(address(mailbox)), bytes("hello"), uint256(0), none),
            "MessageSent"
        );
    }

    function test_AttributesSetGasAndExpiry() public {
        bytes[] memory attributes = new bytes[](2);
        attributes[0] = abi.encodeCall(IXvmErc7786Attributes.executionGasLimit, (900_000));
        attributes[1] = abi.encodeCall(IXvmErc7786Attributes.expiry, (uint64(START + 500)));
        vm.recordLogs();
        vm.prank(alice);
        outbound.sendMessage{value: 1 ether}(account(address(mailbox)), "hello", attributes);
        (, Request memory request) = lastRequest();
        assertEq(request.executionGasLimit, 900_000, "gas");
        assertEq(request.expiry, START + 500, "expiry");
        assertTrue(outbound.supportsAttribute(bytes4(attributes[0])), "supported");
        assertTrue(outbound.supportsAttribute(bytes4(attributes[1])), "supported");
        assertTrue(!outbound.supportsAttribute(0x01020304), "not supported");
    }

    function test_SECURITY_AnAttributeThatIsNotKeptIsNotTaken() public {
        bytes[] memory attributes = new bytes[](1);
        attributes[0] = abi.encodeWithSignature("earliestExecTime(uint256)", 1);
        vm.expectRevert(
            abi.encodeWithSelector(IERC7786GatewaySource.UnsupportedAttribute.selector, bytes4(attributes[0]))
        );
        outbound.sendMessage{value: 1 ether}(account(address(mailbox)), "", attributes);
        attributes[0] = abi.encodePacked(IXvmErc7786Attributes.expiry.selector, uint64(1));
        vm.expectRevert(abi.encodeWithSelector(IXvmErc7786Source.MalformedAttribute.selector, attributes[0]));
        outbound.sendMessage{value: 1 ether}(account(address(mailbox)), "", attributes);
    }

    function test_RecipientsThatCannotBeReachedAreRefused() public {
        bytes memory far = InteroperableAddress.formatEvmV1(4242, address(mailbox));
        bytes32 chainHash = keccak256(InteroperableAddress.formatEvmV1(4242));
        vm.expectRevert(abi.encodeWithSelector(IXvmErc7786Source.NoRemote.selector, chainHash));
        outbound.sendMessage{value: 1 ether}(far, "", none);
        vm.expectRevert(abi.encodeWithSelector(IXvmErc7786Source.MalformedAccount.selector, chain()));
        outbound.sendMessage{value: 1 ether}(chain(), "", none);
    }

    function test_SECURITY_AMessageIsPaidBeforeItIsSent() public {
        uint256 fee = outbound.quoteMessage(account(address(mailbox)), "hello", none);
        vm.deal(address(outbound), 1 ether);
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IXVMClient.FeeAboveBudget.selector, fee, fee - 1));
        outbound.sendMessage{value: fee - 1}(account(address(mailbox)), "hello", none);
    }

    function test_SECURITY_ARequestOfAnybodyElseForgesNoSender() public {
        bytes memory forged =
            abi.encodeCall(IXvmErc7786Inbound.relayMessage, (account(alice), address(mailbox), "forged"));
        Options memory options;
        (uint256 id, Request memory request) = askBy(echo, address(inbound), forged, options);
        execute(request);
        assertConcluded(
            id,
            Kind.REVERTED,
            false,
            abi.encodeWithSelector(IXvmErc7786Inbound.UntrustedSource.selector, account(address(echo)))
        );
        assertEq(mailbox.count(), 0, "nothing received");
    }

    function test_SECURITY_OnlyTheExecutorBringsMessages() public {
        vm.expectRevert(abi.encodeWithSelector(IXvmErc7786Inbound.NotExecutor.selector, address(this)));
        inbound.relayMessage(account(alice), address(mailbox), "forged");
        // another gateway's executor is nobody here
        address stranger = source.executor();
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(IXvmErc7786Inbound.NotExecutor.selector, stranger));
        inbound.relayMessage(account(alice), address(mailbox), "forged");
        // ours, without a request of a trusted adapter
        vm.prank(destination.executor());
        vm.expectRevert(abi.encodeWithSelector(IXvmErc7786Inbound.UntrustedSource.selector, bytes("")));
        inbound.relayMessage(account(alice), address(mailbox), "forged");
    }

    function test_SECURITY_AnOwnAccountBringsNoMessages() public {
        inbound.setSource(account(address(echo)), true);
        Options memory options;
        options.ownAccount = true;
        options.executionGasLimit = 1_000_000;
        (, Request memory request) = askBy(
            echo,
            address(inbound),
            abi.encodeCall(IXvmErc7786Inbound.relayMessage, (account(alice), address(mailbox), "forged")),
            options
        );
        execute(request);
        assertEq(mailbox.count(), 0, "nothing received");
    }

    function test_SECURITY_AnAdapterSpeaksForItsOwnChainAlone() public {
        inbound.setSource(account(address(echo)), true);
        bytes memory foreign = InteroperableAddress.formatEvmV1(1, alice);
        Options memory options;
        (uint256 id, Request memory request) = askBy(
            echo,
            address(inbound),
            abi.encodeCall(IXvmErc7786Inbound.relayMessage, (foreign, address(mailbox), "forged")),
            options
        );
        execute(request);
        assertConcluded(
            id, Kind.REVERTED, false, abi.encodeWithSelector(IXvmErc7786Inbound.ForeignSender.selector, foreign)
        );
    }

    function test_SECURITY_AMessageIsReceivedOnce() public {
        (uint256 id, Request memory request) = _send("hello");
        execute(request);
        execute(request);
        assertSkipped(id, IXvmDestination.AlreadyConsumed.selector);
        assertEq(mailbox.count(), 1, "once");
    }

    function test_WhatTheRecipientRefusesIsTold() public {
        (uint256 id, Request memory request) = _send("thirteen byte");
        execute(request);
        assertEq(mailbox.count(), 0, "refused");
        deliver(outcome(id, Kind.REVERTED, ""));
        assertEq(
            onlyLog(vm.getRecordedLogs(), IXvmErc7786Source.XVMMessageConcluded.selector).data,
            abi.encode(false),
            "told"
        );
    }

    function test_SECURITY_ARecipientThatAnswersSomethingElseHasNotReceived() public {
        Sloppy sloppy = new Sloppy();
        vm.recordLogs();
        outbound.sendMessage{value: 1 ether}(account(address(sloppy)), "", none);
        (uint256 id, Request memory request) = lastRequest();
        execute(request);
        assertConcluded(
            id, Kind.REVERTED, false, abi.encodeWithSelector(IXvmErc7786Inbound.NotReceived.selector, sloppy)
        );
    }

    function test_SECURITY_OnlyTheOwnerSaysWhoIsBelieved() public {
        bytes memory refusal = abi.encodeWithSignature("OwnableUnauthorizedAccount(address)", alice);
        vm.prank(alice);
        vm.expectRevert(refusal);
        inbound.setSource(account(alice), true);
        vm.prank(alice);
        vm.expectRevert(refusal);
        outbound.setRemote(account(alice));
        vm.prank(alice);
        vm.expectRevert(refusal);
        outbound.withdraw(alice);
        inbound.setSource(account(address(outbound)), false);
        assertTrue(!inbound.isTrusted(account(address(outbound))), "struck off");
        (, Request memory request) = _send("hello");
        execute(request);
        assertEq(mailbox.count(), 0, "no longer believed");
    }

    function test_TheyTellTheirInterfaces() public view {
        assertTrue(outbound.supportsInterface(type(IERC7786GatewaySource).interfaceId), "source gateway");
        assertTrue(outbound.supportsInterface(type(IXVMClient).interfaceId), "client");
        assertEq(outbound.timeoutBlocks(), 120, "as long as its routes need");
        assertTrue(inbound.supportsInterface(type(IXvmErc7786Inbound).interfaceId), "inbound");
        assertTrue(!inbound.supportsInterface(0xffffffff), "not everything");
    }

    function _send(bytes memory payload) private returns (uint256 id, Request memory request) {
        vm.recordLogs();
        vm.prank(alice);
        outbound.sendMessage{value: 1 ether}(account(address(mailbox)), payload, none);
        return lastRequest();
    }
}
