// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

/// @title A sender's own account on a destination chain
/// @notice Calls targets as the one account that belongs to a sender of another chain. It takes ether, so that targets can
/// give some back, and tokens that ask no hook; they are its sender's, who moves them by further requests. SECURITY: it obeys
/// its creator alone, and nothing of ours trusts it.
interface IXvmAccount {
    /// @notice Somebody else than `XvmAccounts` called.
    error OnlyAccounts(address caller);

    /// @notice Somebody else than this account called.
    error OnlyItself(address caller);

    /// @notice The receiver refused the money.
    error PaymentRefused(address to);

    /// @notice Takes ether.
    receive() external payable;

    /// @notice As `IXvmExecutor.run`; by `XvmAccounts` alone.
    function run(address target, uint256 gasLimit, uint256 returnLimit, bytes calldata payload)
        external
        returns (bool success, bool cut, bytes memory returnData);

    /// @notice Sends ether of this account's: requests bring none along. By itself alone, so its sender asks for it by a request
    /// with `ownAccount` whose target is the account.
    function pay(address to, uint256 amount) external;
}
