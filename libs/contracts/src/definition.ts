import {
  create,
  fromBinary,
  toBinary,
  type DescFile,
  type DescMethod,
  type DescService,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import type { GenService } from '@bufbuild/protobuf/codegenv2';

type Streams<Kind, One extends string> = Kind extends One | 'bidi_streaming' ? true : false;

/** A service as nice-grpc takes it, with the message types of the generated descriptor. */
export type ServiceDefinition<S> =
  S extends GenService<infer Methods>
    ? {
        [M in keyof Methods]: {
          path: string;
          requestStream: Streams<Methods[M]['methodKind'], 'client_streaming'>;
          responseStream: Streams<Methods[M]['methodKind'], 'server_streaming'>;
          requestSerialize(value: MessageInitShape<Methods[M]['input']>): Uint8Array;
          requestDeserialize(bytes: Uint8Array): MessageShape<Methods[M]['input']>;
          responseSerialize(value: MessageInitShape<Methods[M]['output']>): Uint8Array;
          responseDeserialize(bytes: Uint8Array): MessageShape<Methods[M]['output']>;
          options: Record<string, never>;
        };
      }
    : never;

/** The definition of a generated service: one codec for servers and clients. */
export function define<S extends DescService>(service: S): ServiceDefinition<S> {
  const methods = service.methods.map((method) => [method.localName, methodDefinition(service, method)]);
  return Object.fromEntries(methods) as ServiceDefinition<S>;
}

function methodDefinition(service: DescService, method: DescMethod) {
  const { input, output } = method;
  return {
    path: `/${service.typeName}/${method.name}`,
    requestStream: method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming',
    responseStream: method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming',
    requestSerialize: (value: MessageInitShape<typeof input>) => toBinary(input, create(input, value)),
    requestDeserialize: (bytes: Uint8Array) => fromBinary(input, bytes),
    responseSerialize: (value: MessageInitShape<typeof output>) => toBinary(output, create(output, value)),
    responseDeserialize: (bytes: Uint8Array) => fromBinary(output, bytes),
    options: {},
  };
}

/** The descriptor set of a service and all it imports, as server reflection wants it. */
export function protosetOf(service: DescService): Uint8Array {
  const files = new Map<string, DescFile>();
  const visit = (file: DescFile) => {
    if (files.has(file.name)) return;
    file.dependencies.forEach(visit);
    files.set(file.name, file);
  };
  visit(service.file);
  const set = create(FileDescriptorSetSchema, { file: [...files.values()].map(({ proto }) => proto) });
  return toBinary(FileDescriptorSetSchema, set);
}
