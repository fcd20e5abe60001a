import { flushCompileCache } from 'node:module';

/**
 * Preloaded (`node --import`) into services that npm start and tests run: the parent holds the other end of standard input, so its end
 * tells that the parent is gone, however it went. The service then drains as on SIGTERM, and is given ten seconds for it.
 */
process.stdin.on('end', () => {
  process.kill(process.pid, 'SIGTERM');
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), 10_000).unref();
});
process.stdin.on('error', () => process.kill(process.pid, 'SIGKILL'));
process.stdin.resume();
(process.stdin as unknown as { unref?: () => void }).unref?.();

// Node writes its compile cache when it ends by itself; a service that is killed has written it by then.
setTimeout(flushCompileCache, 3_000).unref();
