#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include <cstdlib>
#include <string>

int main() {
    const char *given = std::getenv("PORT");
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(given ? std::atoi(given) : 8080);
    if (bind(listener, reinterpret_cast<sockaddr *>(&address), sizeof address) != 0 || listen(listener, 16) != 0)
        return 1;
    const std::string body = std::string("hello from C++ with zlib ") + zlibVersion();
    const std::string answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
                               "\r\n\r\n" + body;
    for (;;) {
        int client = accept(listener, nullptr, nullptr);
        char request[4096];
        if (read(client, request, sizeof request) > 0 && write(client, answer.data(), answer.size()) < 0)
            return 2;
        close(client);
    }
}
