// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC7786GatewaySource} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {InteroperableAddress} from "@openzeppelin/contracts/utils/draft-InteroperableAddress.sol";
import {XVMClient} from "../client/XVMClient.sol";
import {XvmResult} from "../client/XvmResult.sol";
import {IXvmGateway} from "../interfaces/IXvmGateway.sol";
import {Options} from "../interfaces/XvmTypes.sol";
import {Erc7930} from "../libraries/Erc7930.sol";
import {IXvmErc7786Inbound} from "./IXvmErc7786Inbound.sol";
import {IXvmErc7786Attributes, IXvmErc7786Source} from "./IXvmErc7786Source.sol";

/// @title ERC-7786 source gateway over XVM
/// @notice See `IXvmErc7786Source`. It tells its counterpart who sent a message; that one believes it because it is the
/// request's sender.
contract XvmErc7786Source is XVMClient, Ownable2Step, IXvmErc7786Source {
    using Erc7930 for bytes;

    mapping(bytes32 chainHash => bytes) private _remotes;

    /// @param gateway_ This chain's gateway.
    /// @param owner_ Who names the adapters of other chains.
    /// @param timeoutBlocks_ Blocks after which anybody may give a message up: the deadline of the slowest route, 100 or more.
    constructor(IXvmGateway gateway_, address owner_, uint64 timeoutBlocks_)
        XVMClient(gateway_, timeoutBlocks_)
        Ownable(owner_)
    {}

    /// @inheritdoc IERC7786GatewaySource
    function sendMessage(bytes calldata recipient, bytes calldata payload, bytes[] calldata attributes)
        external
        payable
        returns (bytes32)
    {
        (bytes memory target, bytes memory call_, Options memory options) = _request(recipient, payload, attributes);
        (uint256 requestId, uint256 cost) =
            _ask(target, call_, options, msg.value, bytes32(uint256(uint160(msg.sender))));
        emit MessageSent(0, _sender(), recipient, payload, 0, attributes);
        emit XVMMessageRequested(requestId, msg.sender);
        _pay(msg.sender, msg.value - cost);
        return 0;
    }

    /// @inheritdoc IXvmErc7786Source
    function setRemote(bytes calldata remote) external onlyOwner {
        bytes32 chainHash = _chainHash(remote);
        _remotes[chainHash] = remote;
        emit XVMRemoteSet(chainHash, remote);
    }

    /// @inheritdoc IXvmErc7786Source
    function withdraw(address to) external onlyOwner {
        _pay(to, address(this).balance);
    }

    /// @inheritdoc IXvmErc7786Source
    function quoteMessage(bytes calldata recipient, bytes calldata payload, bytes[] calldata attributes)
        external
        view
        returns (uint256 fee)
    {
        (bytes memory target, bytes memory call_, Options memory options) = _request(recipient, payload, attributes);
        return GATEWAY.quote(target, call_.length, options);
    }

    /// @inheritdoc IERC7786GatewaySource
    function supportsAttribute(bytes4 selector) public pure returns (bool) {
        return selector == IXvmErc7786Attributes.executionGasLimit.selector
            || selector == IXvmErc7786Attributes.expiry.selector;
    }

    /// @inheritdoc XVMClient
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IERC7786GatewaySource).interfaceId || super.supportsInterface(interfaceId);
    }

    function _onResult(uint256 requestId, XvmResult memory result) internal override {
        emit XVMMessageConcluded(requestId, address(uint160(uint256(result.context))), result.success);
    }

    /// @dev The request that carries a message.
    function _request(bytes calldata recipient, bytes calldata payload, bytes[] calldata attributes)
        private
        view
        returns (bytes memory target, bytes memory call_, Options memory options)
    {
        bytes32 chainHash = _chainHash(recipient);
        target = _remotes[chainHash];
        if (target.length == 0) revert NoRemote(chainHash);
        (, address account) = InteroperableAddress.parseEvmV1Calldata(recipient);
        // SECURITY: the counterpart takes our word for who sends
        call_ = abi.encodeCall(IXvmErc7786Inbound.relayMessage, (_sender(), account, payload));
        for (uint256 i = 0; i < attributes.length; ++i) {
            bytes4 selector = bytes4(attributes[i]);
            if (!supportsAttribute(selector)) revert UnsupportedAttribute(selector);
            if (attributes[i].length != 36) revert MalformedAttribute(attributes[i]);
            uint64 value = abi.decode(attributes[i][4:], (uint64));
            if (selector == IXvmErc7786Attributes.expiry.selector) options.expiry = value;
            else options.executionGasLimit = value;
        }
    }

    function _sender() private view returns (bytes memory) {
        return InteroperableAddress.formatEvmV1(block.chainid, msg.sender);
    }

    /// @dev The chain of an account of an EVM chain.
    function _chainHash(bytes memory account) private pure returns (bytes32) {
        (uint256 position, uint256 addressLength) = account.split();
        bool isEvm = position != 0 && account[2] == 0 && account[3] == 0;
        if (!isEvm || addressLength != 20) revert MalformedAccount(account);
        return account.chainHash(position);
    }
}
