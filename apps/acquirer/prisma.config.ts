import { prismaConfig } from '../../tools/prisma-config.ts';

export default prismaConfig(import.meta.dirname);
