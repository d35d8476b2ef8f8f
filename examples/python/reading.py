"""`Reading`, as ../reading.proto has it: made at run time, so that no protoc is needed here. In a project of yours
`protoc --python_out=. reading.proto` writes the module `reading_pb2`, and you import it from there."""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

Field = descriptor_pb2.FieldDescriptorProto

file = descriptor_pb2.FileDescriptorProto(name="reading.proto", package="demo", syntax="proto3")
message = file.message_type.add(name="Reading")
for number, (name, kind) in enumerate(
    [("message", Field.TYPE_STRING), ("id", Field.TYPE_INT32), ("value", Field.TYPE_INT64)], start=1
):
    message.field.add(name=name, number=number, type=kind, label=Field.LABEL_OPTIONAL)

pool = descriptor_pool.DescriptorPool()
pool.Add(file)
Reading = message_factory.GetMessageClass(pool.FindMessageTypeByName("demo.Reading"))
