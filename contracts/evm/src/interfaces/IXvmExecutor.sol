// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

/// @title The common caller of targets
/// @notice Calls targets for its gateway. SECURITY: it holds nothing and nothing trusts it; targets that care who asks read
/// the gateway's `currentRequest` while `msg.sender` is this contract.
interface IXvmExecutor {
    /// @notice Somebody else than the gateway called.
    error OnlyGateway(address caller);

    /// @notice The target could not be given its full execution gas (EIP-150). Never an outcome: the transaction reverts.
    error InsufficientExecutionGas(uint256 gasLimit);

    /// @notice The only contract that may use this one.
    function gateway() external view returns (address);

    /// @notice Calls `target` with exactly `gasLimit` gas and no value.
    /// @param target Account to call.
    /// @param gasLimit Gas the target gets.
    /// @param returnLimit Bytes of return or revert data that are copied at most.
    /// @param payload Calldata.
    /// @return success The target returned.
    /// @return cut It answered with more than `returnLimit` bytes.
    /// @return returnData What it answered, cut at `returnLimit`.
    function run(address target, uint256 gasLimit, uint256 returnLimit, bytes calldata payload)
        external
        returns (bool success, bool cut, bytes memory returnData);
}
