// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {IERC7786GatewaySource} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";

/// @title ERC-7786 source gateway over XVM
/// @notice `sendMessage` sends at once (and so returns 0), for the fee in the value sent; what is too much goes back. A message
/// carries no value.
interface IXvmErc7786Source is IERC7786GatewaySource {
    /// @notice A message became this request; its recipient sees the id as `receiveId`.
    event XVMMessageRequested(uint256 indexed requestId, address indexed sender);

    /// @notice A message was received, or refused (or never came to its recipient).
    event XVMMessageConcluded(uint256 indexed requestId, address indexed sender, bool received);

    /// @notice The adapter of a chain was set.
    event XVMRemoteSet(bytes32 indexed chainHash, bytes remote);

    /// @notice No adapter is known on the recipient's chain.
    error NoRemote(bytes32 chainHash);

    /// @notice Not the ERC-7930 (version 1) address of an account of an EVM chain.
    error MalformedAccount(bytes account);

    /// @notice An attribute is its selector and one word.
    error MalformedAttribute(bytes attribute);

    /// @notice Names the `XvmErc7786Inbound` of a chain, by its ERC-7930 address; owner only.
    function setRemote(bytes calldata remote) external;

    /// @notice Takes out what the gateway gave back for messages that nobody executed in time; owner only.
    function withdraw(address to) external;

    /// @notice What a message costs now, in wei.
    function quoteMessage(bytes calldata recipient, bytes calldata payload, bytes[] calldata attributes)
        external
        view
        returns (uint256 fee);
}

/// @notice The attributes that are supported, as functions, for `abi.encodeCall`.
interface IXvmErc7786Attributes {
    /// @notice Gas for receiving the message there, the adapter's share included; 500,000 unless given.
    function executionGasLimit(uint64 gasLimit) external;

    /// @notice Last second, on the clock over there, at which it may be received.
    function expiry(uint64 expirySeconds) external;
}
