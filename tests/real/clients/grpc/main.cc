// A real client: gRPC core under C++, whose default credentials send an access token with each call.
//
//     grpc-client CERTIFICATE KEY
//
// Calls a server of its own, which has this certificate for localhost, and prints the token that the server received as
// {"access_token": …}; a failed call goes to stderr as gRPC words it, exit status 1.
// https://grpc.io/docs/guides/auth/#authenticate-with-google

#include <fstream>
#include <future>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <iostream>
#include <sstream>

namespace {

// Answers each call with the value of its header `authorization`.
class Echo : public grpc::CallbackGenericService {
  class Call : public grpc::ServerGenericBidiReactor {
   public:
    explicit Call(grpc::GenericCallbackServerContext* context) {
      auto found = context->client_metadata().find("authorization");
      if (found == context->client_metadata().end()) {
        Finish(grpc::Status(grpc::UNAUTHENTICATED, "no token was sent"));
        return;
      }
      grpc::Slice slice(found->second.data(), found->second.size());
      response_ = grpc::ByteBuffer(&slice, 1);
      StartWriteAndFinish(&response_, {}, grpc::Status::OK);
    }
    void OnDone() override { delete this; }

   private:
    grpc::ByteBuffer response_;
  };
  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override { return new Call(context); }
};

std::string contents(const char* path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

}  // namespace

int main(int, char** arguments) {
  grpc::SslServerCredentialsOptions tls;
  tls.pem_key_cert_pairs.push_back({contents(arguments[2]), contents(arguments[1])});
  Echo echo;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("localhost:0", grpc::SslServerCredentials(tls), &port);
  builder.RegisterCallbackGenericService(&echo);
  auto server = builder.BuildAndStart();

  auto channel = grpc::CreateChannel("localhost:" + std::to_string(port), grpc::GoogleDefaultCredentials());
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
  grpc::Slice nothing;
  grpc::ByteBuffer request(&nothing, 1), response;
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, "/test.Echo/Call", {}, &request, &response, [&](grpc::Status status) { done.set_value(status); });
  grpc::Status status = done.get_future().get();
  server->Shutdown();
  if (!status.ok()) {
    std::cerr << status.error_message() << std::endl;
    return 1;
  }
  grpc::Slice answer;
  response.DumpToSingleSlice(&answer);
  std::string bearer(reinterpret_cast<const char*>(answer.begin()), answer.size());
  std::cout << "{\"access_token\": \"" << bearer.substr(bearer.find(' ') + 1) << "\"}" << std::endl;
}
