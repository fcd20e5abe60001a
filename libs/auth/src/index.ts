export { createAuthenticator, type AuthenticatorOptions, type Caller, type Role, roles } from './authenticator.ts';
export { createServiceToken, type ServiceTokenOptions } from './service-token.ts';
