// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

/// @title ERC-7786 destination gateway over XVM
/// @notice What recipients trust as their gateway: it calls `receiveMessage` for messages of the adapters that its owner named.
interface IXvmErc7786Inbound {
    /// @notice Messages of this adapter, named by its ERC-7930 address, are believed from now on, or no longer.
    event XVMSourceSet(bytes source, bool trusted);

    /// @notice Messages come by the gateway's executor alone.
    error NotExecutor(address caller);

    /// @notice The request is not one of a trusted adapter's.
    error UntrustedSource(bytes source);

    /// @notice The adapter speaks for an account of another chain than its own.
    error ForeignSender(bytes sender);

    /// @notice The recipient did not answer as ERC-7786 wants it.
    error NotReceived(address recipient);

    /// @notice Passes a message on. Called by the executor, for a request of an `XvmErc7786Source`.
    /// @param sender ERC-7930 address of who sent it.
    /// @param recipient Whom to.
    /// @param payload The message.
    function relayMessage(bytes calldata sender, address recipient, bytes calldata payload) external;

    /// @notice Trusts an adapter of another chain, or no longer; owner only.
    function setSource(bytes calldata source, bool trusted) external;

    /// @notice Whether an adapter is trusted.
    function isTrusted(bytes calldata source) external view returns (bool);
}
