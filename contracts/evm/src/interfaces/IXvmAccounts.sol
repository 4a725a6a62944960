// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

/// @title The callers of targets for requests with `ownAccount`
/// @notice Creates one account a sender, by that sender's first such request, and has it call. SECURITY: holds nothing and
/// nothing of ours trusts it or an account. A target may trust an account as it would its sender: `msg.sender ==
/// accountOf(sender)` is all it takes to know who asks.
interface IXvmAccounts {
    /// @notice The only contract that may use this one.
    function gateway() external view returns (address);

    /// @notice Calls `target` by a sender's own account with exactly `gasLimit` gas and no value; creates the account if there is
    /// none. By the gateway alone; reverts with `InsufficientExecutionGas` as the executor does.
    /// @param senderHash keccak256 of the sender's ERC-7930 address.
    /// @return success The target returned.
    /// @return cut It answered with more than `returnLimit` bytes.
    /// @return returnData What it answered, cut at `returnLimit`.
    function run(bytes32 senderHash, address target, uint256 gasLimit, uint256 returnLimit, bytes calldata payload)
        external
        returns (bool success, bool cut, bytes memory returnData);

    /// @notice A sender's own account, whether it was created yet or not.
    /// @param sender ERC-7930 address, byte for byte as in requests.
    function accountOf(bytes calldata sender) external view returns (address);
}
