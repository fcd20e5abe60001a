// Loaded before a process's own code: tells at its end the most memory it ever had, in kilobytes on every platform (getrusage).
process.once('exit', () => process.stderr.write(`\npeak memory: ${process.resourceUsage().maxRSS} kB\n`));
