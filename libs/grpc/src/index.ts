export { createClient, type CallLimits, type GrpcClient, type GrpcClientOptions } from './client.ts';
export { createGrpcServer, type GrpcServer, type GrpcServerOptions, type Reflection } from './server.ts';
