// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.27;

import {Request} from "../interfaces/XvmTypes.sol";

/// @title Relayers, played by one call each
/// @notice What a test says to a mock gateway, besides what a contract says to a real one. Each function ends one stage of a
/// request's life on the spot; blocks and seconds pass by the test's own tool.
interface IXvmMockGateway {
    /// @notice The mock cannot call a target of another VM: say what it answers, by `deliverWith` or `revertWith`.
    error NotAnEvmTarget(bytes target);

    /// @notice The mock plays no such thing.
    error NotPlayed(string what);

    /// @notice `delay` keeps the request waiting until this block.
    error Delayed(uint256 requestId, uint256 untilBlock);

    /// @notice A query is not executed and does not expire.
    error WrongMode();

    /// @notice The request was executed, or concluded, before.
    error Concluded(uint256 requestId);

    /// @notice Performs what the request asks for, on the target's address in this very chain, whatever chain the request names,
    /// and calls back. A query's reading leaves no trace. An executed request is only called back.
    function deliver(uint256 requestId) external;

    /// @notice `deliver` for several, in the order given: any order but that of asking is allowed, as in a network.
    function deliverInOrder(uint256[] calldata requestIds) external;

    /// @notice `deliver` for all that are pending, in the order of asking.
    function deliverPending() external;

    /// @notice Performs a call and does not call back yet.
    function execute(uint256 requestId) external;

    /// @notice Calls back with this answer; the target is not called. Longer data than the request's limit is cut.
    function deliverWith(uint256 requestId, bool success, bytes calldata returnData) external;

    /// @notice Calls back with a target that reverted with these bytes.
    function revertWith(uint256 requestId, bytes calldata reason) external;

    /// @notice Calls back with a request that was not executed before it expired, as the destination's clock would have it. For
    /// calls alone: a query does not expire.
    function expire(uint256 requestId) external;

    /// @notice Calls back with a target that was not there, or not the one meant.
    function unreach(uint256 requestId) external;

    /// @notice Plays slow relayers: the functions above refuse the request for the next `blocks_` blocks.
    function delay(uint256 requestId, uint256 blocks_) external;

    /// @notice Replays the callback of a request whose handler failed. Free for anyone; reverts if it fails again.
    function retryCallback(uint256 requestId, uint64 gasLimit) external;

    /// @notice Sets what requests cost from now on, in wei, whatever their gas limits and lengths. Queries cost no execution share.
    function setPrice(uint80 executionShare, uint80 callbackShare, uint80 signersShare) external;

    /// @notice The youngest request; reverts if there is none.
    function lastRequestId() external view returns (uint256);

    /// @notice All requests, in the order of asking.
    function requestIds() external view returns (uint256[] memory);

    /// @notice A request as it was logged; `cancel` and `retry` want it.
    function requestOf(uint256 requestId) external view returns (Request memory);
}
