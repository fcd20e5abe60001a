export * from './gen/kassa/common/v1/common_pb.js';
