// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IXvmExecutor} from "./interfaces/IXvmExecutor.sol";
import {BoundedCall} from "./libraries/BoundedCall.sol";

/// @title The common caller of targets
/// @notice See `IXvmExecutor`. Created by its gateway.
contract XvmExecutor is IXvmExecutor {
    /// @inheritdoc IXvmExecutor
    address public immutable gateway;

    constructor() {
        gateway = msg.sender;
    }

    /// @inheritdoc IXvmExecutor
    function run(address target, uint256 gasLimit, uint256 returnLimit, bytes calldata payload)
        external
        returns (bool, bool, bytes memory)
    {
        // SECURITY: `currentRequest` means something while this contract calls, so nobody else may make it call
        if (msg.sender != gateway) revert OnlyGateway(msg.sender);
        BoundedCall.callAndReturn(target, gasLimit, returnLimit, payload);
    }
}
