// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {IXvmExecutor} from "../interfaces/IXvmExecutor.sol";

/// @title Calls with an exact amount of gas and a bounded answer
/// @notice EIP-150 keeps back 1/64 of the gas that is left and silently passes on less than was asked for; here that is told.
library BoundedCall {
    /// @notice What a CALL without value may cost its caller before the callee's gas is taken: a cold account (2,600), a cold
    /// EIP-7702 delegation (2,600), and the instructions around it.
    uint256 internal constant CALL_COST = 5500;

    /// @notice Whether a call made now could be given `gasLimit` gas.
    /// @dev a − ⌊a / 64⌋ ≥ g follows from a ≥ ⌊64 g / 63⌋ + 1, which `CALL_COST` has room for.
    function affords(uint256 gasLimit) internal view returns (bool) {
        return gasleft() >= gasLimit * 64 / 63 + CALL_COST;
    }

    /// @notice Calls `target` without value and ends the current call with abi.encode(bool success, bool cut, bytes returnData).
    /// @dev Ends the call itself, because the answer is laid out once, where it is returned from.
    function callAndReturn(address target, uint256 gasLimit, uint256 returnLimit, bytes calldata payload) internal {
        uint256 data;
        assembly ("memory-safe") {
            data := mload(0x40)
            calldatacopy(data, payload.offset, payload.length)
            // touch the last word now: no expansion between the check and the call
            mstore(0x40, add(data, and(add(payload.length, 63), not(31))))
            pop(mload(mload(0x40)))
        }
        // SECURITY: without this a submitter could starve the target and have the failure certified
        if (!affords(gasLimit)) revert IXvmExecutor.InsufficientExecutionGas(gasLimit);
        assembly ("memory-safe") {
            let success := call(gasLimit, target, 0, data, payload.length, 0, 0)
            let length := returndatasize()
            let cut := gt(length, returnLimit)
            // SECURITY: a target decides how much it answers, but not how much of it is copied
            if cut { length := returnLimit }
            mstore(data, success)
            mstore(add(data, 32), cut)
            mstore(add(data, 64), 96)
            mstore(add(data, 96), length)
            mstore(add(add(data, 128), length), 0)
            returndatacopy(add(data, 128), 0, length)
            return(data, add(128, and(add(length, 31), not(31))))
        }
    }
}
