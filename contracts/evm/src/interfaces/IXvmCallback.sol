// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

/// @title Callback of a contract that asks
/// @notice Implemented by a contract that calls `xvmExecute` and wants to hear what became of it.
interface IXvmCallback {
    /// @notice Tells what became of a request. Called once by the source gateway, with exactly the request's callback gas.
    /// @dev SECURITY: an implementation must require `msg.sender` to be its gateway. If it reverts or runs out of gas, the
    /// outcome stays replayable through the gateway's `retryCallback`.
    /// @param requestId What `xvmExecute` returned.
    /// @param success The target ran and returned; for a duplicate, the earlier attempt did.
    /// @param returnData Return or revert data, cut at the request's limit; for a duplicate the earlier attempt's slot word
    /// (kind in the first byte); empty for an expired or unreached request.
    function xvmCallback(uint256 requestId, bool success, bytes calldata returnData) external;
}
