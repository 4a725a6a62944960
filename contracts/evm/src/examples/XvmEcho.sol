// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {IXvmCallback} from "../interfaces/IXvmCallback.sol";
import {IXvmSource} from "../interfaces/IXvmSource.sol";
import {Options} from "../interfaces/XvmTypes.sol";

/// @title A contract that asks
/// @notice Passes requests on to its gateway and records what it is called back with. For demonstrations and tests.
contract XvmEcho is IXvmCallback {
    /// @notice What a callback said.
    struct Result {
        bool arrived;
        bool success;
        bytes returnData;
    }

    /// @notice A callback arrived.
    event Called(uint256 indexed requestId, bool success, bytes returnData);

    /// @notice Somebody else than the gateway called back.
    error NotGateway(address caller);

    /// @notice The gateway that it asks and believes.
    IXvmSource public immutable gateway;

    /// @notice How many callbacks arrived.
    uint256 public callbacks;

    mapping(uint256 requestId => Result) private _results;

    constructor(IXvmSource gateway_) {
        gateway = gateway_;
    }

    /// @notice Takes back what was overpaid.
    receive() external payable {}

    /// @notice Asks in the simple form, paying with the value sent and this contract's balance.
    function ask(uint256 targetChainId, address targetContract, bytes4 fnSelector, bytes calldata params)
        external
        payable
        returns (uint256 requestId)
    {
        return gateway.xvmExecute{value: address(this).balance}(targetChainId, targetContract, fnSelector, params);
    }

    /// @notice Asks in the full form, paying likewise.
    function ask(bytes calldata target, bytes calldata payload, Options calldata options)
        external
        payable
        returns (uint256 requestId)
    {
        return gateway.xvmExecute{value: address(this).balance}(target, payload, options);
    }

    /// @inheritdoc IXvmCallback
    function xvmCallback(uint256 requestId, bool success, bytes calldata returnData) external {
        // SECURITY: without this anyone could tell us anything
        if (msg.sender != address(gateway)) revert NotGateway(msg.sender);
        _results[requestId] = Result({arrived: true, success: success, returnData: returnData});
        ++callbacks;
        emit Called(requestId, success, returnData);
    }

    /// @notice What the callback of a request said.
    function results(uint256 requestId) external view returns (Result memory) {
        return _results[requestId];
    }
}
