export { createHttpServer, type HttpServer, type HttpServerOptions, type KeyFacts, type Log } from './server.ts';
export { decodeCursor, encodeCursor, pageOf, pageQuery, toPage } from './pages.ts';
export type { Answer, Call, Method, Route, RouteFunction } from './route.ts';
