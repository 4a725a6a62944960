// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {IXvmCallback} from "../interfaces/IXvmCallback.sol";
import {IXvmSource} from "../interfaces/IXvmSource.sol";
import {Options} from "../interfaces/XvmTypes.sol";

/// @title The smallest contract that asks
/// @notice Passes requests on to its gateway and ticks off those that succeeded: one storage write a callback. For
/// demonstrations, tests and gas figures.
contract XvmPing is IXvmCallback {
    /// @notice Somebody else than the gateway called back.
    error NotGateway(address caller);

    /// @notice The gateway that it asks and believes.
    IXvmSource public immutable gateway;

    /// @notice Whether a request's target ran and returned.
    mapping(uint256 requestId => bool) public succeeded;

    constructor(IXvmSource gateway_) {
        gateway = gateway_;
    }

    /// @notice Asks with the value sent. What is overpaid becomes this contract's credit at the gateway: it takes no money.
    function ask(bytes calldata target, bytes calldata payload, Options calldata options)
        external
        payable
        returns (uint256 requestId)
    {
        return gateway.xvmExecute{value: msg.value}(target, payload, options);
    }

    /// @inheritdoc IXvmCallback
    function xvmCallback(uint256 requestId, bool success, bytes calldata) external {
        // SECURITY: without this anyone could tell us anything
        if (msg.sender != address(gateway)) revert NotGateway(msg.sender);
        succeeded[requestId] = success;
    }
}
