// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {IXvmExecutor} from "../interfaces/IXvmExecutor.sol";
import {BoundedCall} from "../libraries/BoundedCall.sol";

/// @title Caller of targets, for a mock gateway
/// @notice Plays the executor, the senders' own accounts, and the node that answers queries.
contract XvmMockCaller is IXvmExecutor {
    /// @notice What a target answered to `read`, told by a revert so that nothing of the call remains.
    error Told(bool success, bool cut, bytes returnData);

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
        if (msg.sender != gateway && msg.sender != address(this)) revert OnlyGateway(msg.sender);
        BoundedCall.callAndReturn(target, gasLimit, returnLimit, payload);
    }

    /// @notice Calls a target as `eth_call` does: it may write, and nothing of that stays. Always reverts, with `Told`.
    /// @dev Parameters as of `run`.
    function read(address target, uint256 gasLimit, uint256 returnLimit, bytes calldata payload) external {
        if (msg.sender != gateway) revert OnlyGateway(msg.sender);
        (bool success, bool cut, bytes memory returnData) = this.run(target, gasLimit, returnLimit, payload);
        revert Told(success, cut, returnData);
    }
}
