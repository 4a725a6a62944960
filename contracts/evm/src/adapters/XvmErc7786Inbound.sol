// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IERC7786Recipient} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {IXvmDestination} from "../interfaces/IXvmDestination.sol";
import {Erc7930} from "../libraries/Erc7930.sol";
import {IXvmErc7786Inbound} from "./IXvmErc7786Inbound.sol";

/// @title ERC-7786 destination gateway over XVM
/// @notice See `IXvmErc7786Inbound`. An ordinary target: the gateway executes a request at most once, so a message is received
/// at most once. SECURITY: recipients trust it, so it calls nothing of theirs but `receiveMessage`.
contract XvmErc7786Inbound is ERC165, Ownable2Step, IXvmErc7786Inbound {
    using Erc7930 for bytes;

    IXvmDestination private immutable GATEWAY;

    mapping(bytes32 sourceHash => bool) private _trusted;

    /// @param gateway_ This chain's gateway.
    /// @param owner_ Who names the adapters that are believed.
    constructor(IXvmDestination gateway_, address owner_) Ownable(owner_) {
        GATEWAY = gateway_;
    }

    /// @inheritdoc IXvmErc7786Inbound
    function relayMessage(bytes calldata sender, address recipient, bytes calldata payload) external {
        // SECURITY: the current request is the caller's only while the caller is the executor
        if (msg.sender != GATEWAY.executor()) revert NotExecutor(msg.sender);
        (uint256 requestId, bytes memory source) = GATEWAY.currentRequest();
        // SECURITY: anyone may have the executor call here; who asked is what counts
        if (!_trusted[keccak256(source)]) revert UntrustedSource(source);
        // SECURITY: an adapter that went bad speaks for its own chain at most
        if (_chainHash(sender) != _chainHash(source)) revert ForeignSender(sender);
        bytes4 answer = IERC7786Recipient(recipient).receiveMessage(bytes32(requestId), sender, payload);
        if (answer != IERC7786Recipient.receiveMessage.selector) revert NotReceived(recipient);
    }

    /// @inheritdoc IXvmErc7786Inbound
    function setSource(bytes calldata source, bool trusted) external onlyOwner {
        _trusted[keccak256(source)] = trusted;
        emit XVMSourceSet(source, trusted);
    }

    /// @notice The gateway whose executor calls here.
    function gateway() external view returns (address) {
        return address(GATEWAY);
    }

    /// @inheritdoc IXvmErc7786Inbound
    function isTrusted(bytes calldata source) external view returns (bool) {
        return _trusted[keccak256(source)];
    }

    /// @inheritdoc ERC165
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IXvmErc7786Inbound).interfaceId || super.supportsInterface(interfaceId);
    }

    function _chainHash(bytes memory account) private pure returns (bytes32) {
        (uint256 position, uint256 addressLength) = account.split();
        if (position == 0 || addressLength == 0) revert ForeignSender(account);
        return account.chainHash(position);
    }
}
