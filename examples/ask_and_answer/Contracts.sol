// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What an asking contract needs to know of its gateway; the whole is in contracts/evm/src/interfaces.
interface IGateway {
    function xvmExecute(uint256 targetChainId, address targetContract, bytes4 fnSelector, bytes calldata params)
        external
        payable
        returns (uint256 requestId);
}

/// @notice Lives on one chain and knows nothing of XVM: any contract can be called.
contract Adder {
    uint256 public calls;

    function add(uint256 a, uint256 b) external returns (uint256 sum) {
        ++calls;
        return a + b;
    }
}

/// @notice Lives on another chain and has its sums done by the Adder.
contract Asker {
    IGateway public immutable gateway;
    mapping(uint256 requestId => uint256 sum) public sums;

    event Asked(uint256 indexed requestId);
    event Answered(uint256 indexed requestId, bool success, uint256 sum);

    constructor(IGateway gateway_) {
        gateway = gateway_;
    }

    /// @notice What is paid above the fee comes back here.
    receive() external payable {}

    function ask(uint256 chainId, address adder, uint256 a, uint256 b) external payable {
        bytes memory params = abi.encode(a, b);
        emit Asked(gateway.xvmExecute{value: msg.value}(chainId, adder, Adder.add.selector, params));
    }

    function xvmCallback(uint256 requestId, bool success, bytes calldata returnData) external {
        // Without this anybody could answer.
        require(msg.sender == address(gateway), "not the gateway");
        if (success) sums[requestId] = abi.decode(returnData, (uint256));
        emit Answered(requestId, success, sums[requestId]);
    }
}
